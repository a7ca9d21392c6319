package cli

// KSMFlag is a row of the table of kube-state-metrics' flags, for tests.
type KSMFlag struct {
	Name, Option, Here, Warning string
}

// KSMFlags returns the table.
func KSMFlags() (out []KSMFlag) {
	for _, f := range ksmTable(new(ksmFlags)) {
		out = append(out, KSMFlag{f.name, f.option, f.here, f.warning})
	}
	return out
}

// What tests call directly.
var (
	Keep        = keep
	CgroupLimit = cgroupLimit
)
