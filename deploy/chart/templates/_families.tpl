{{/* What has alerts and dashboards: the catalogs in use, the parts, and Kubevitals itself. */}}
{{- define "kubevitals.families" -}}
{{- $families := list "kubevitals" }}
{{- with .Values.state }}{{ if .enabled }}{{ $families = concat $families .catalogs }}
{{- if and .metricPipelines (not (has "kyma" .catalogs)) }}{{ $families = append $families "kyma" }}{{ end }}{{ end }}{{ end }}
{{- if .Values.pods.enabled }}{{ $families = append $families "pods" }}{{ end }}
{{- toJson $families }}
{{- end }}
