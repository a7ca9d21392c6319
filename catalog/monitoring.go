package catalog

import "io/fs"

// Monitoring returns the alerts and dashboards of all families: FAMILY/alerts.yaml
// and FAMILY/dashboards/*.json.
func Monitoring() fs.FS { return files }
