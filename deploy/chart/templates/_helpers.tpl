{{/* Names and labels. A part is called with a dict: root, the context of the chart; part, its name; values, its values. */}}

{{- define "kubevitals.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "kubevitals.name" -}}
{{ include "kubevitals.fullname" .root }}-{{ .part }}
{{- end }}

{{/* What selects the pods of a part. It never changes with the version. */}}
{{- define "kubevitals.selector" -}}
app.kubernetes.io/name: {{ include "kubevitals.appName" . }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end }}

{{- define "kubevitals.appName" -}}
{{ default (printf "kubevitals-%s" .part) .values.appName }}
{{- end }}

{{- define "kubevitals.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/part-of: kubevitals
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ default .Release.Service .Values.managedBy }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "kubevitals.labels" -}}
{{ include "kubevitals.selector" . }}
{{ include "kubevitals.commonLabels" .root }}
{{- end }}

{{- define "kubevitals.serviceAccount" -}}
{{- if .values.serviceAccount.name }}{{ .values.serviceAccount.name }}
{{- else if .values.serviceAccount.create }}{{ include "kubevitals.name" . }}
{{- else }}default{{ end }}
{{- end }}

{{/* The parts that are on, as JSON. */}}
{{- define "kubevitals.parts" -}}
{{- $parts := list }}
{{- range $part := list "state" "pods" }}
{{- if (index $.Values $part).enabled }}{{ $parts = append $parts $part }}{{ end }}
{{- end }}
{{- toJson $parts }}
{{- end }}

{{- define "kubevitals.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* How metrics are served. */}}
{{- define "kubevitals.port" -}}
{{- if .root.Values.auth.enabled }}8443{{ else if eq .part "pods" }}15090{{ else }}8080{{ end }}
{{- end }}
{{- define "kubevitals.portName" -}}
{{- if .root.Values.auth.enabled }}https-metrics{{ else }}http-metrics{{ end }}
{{- end }}
{{- define "kubevitals.scheme" -}}
{{- if .root.Values.auth.enabled }}https{{ else }}http{{ end }}
{{- end }}
{{- define "kubevitals.service" -}}
{{ include "kubevitals.name" . }}-metrics-service
{{- end }}
{{- define "kubevitals.host" -}}
{{ include "kubevitals.service" . }}.{{ .root.Release.Namespace }}.svc
{{- end }}
{{- define "kubevitals.tlsSecret" -}}
{{ default (printf "%s-tls" (include "kubevitals.name" .)) .root.Values.tls.secretName }}
{{- end }}
{{- define "kubevitals.hasTLSSecret" -}}
{{- if and .root.Values.auth.enabled (ne .root.Values.tls.source "selfSigned") }}true{{ end }}
{{- end }}

{{/* How a monitor of Prometheus Operator scrapes: the lines below its port. */}}
{{- define "kubevitals.endpoint" -}}
{{- $monitor := .monitor }}
path: {{ default "/metrics" .path }}
{{- with $monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with $monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
honorLabels: {{ $monitor.honorLabels }}
{{- if .root.Values.auth.enabled }}
scheme: https
authorization:
  type: Bearer
  credentials: {name: {{ default (printf "%s-metrics-reader-token" (include "kubevitals.fullname" .root)) .root.Values.reader.secretName }}, key: token}
tlsConfig:
  {{- if include "kubevitals.hasTLSSecret" . }}
  ca:
    secret: {name: {{ include "kubevitals.tlsSecret" . }}, key: ca.crt}
  serverName: {{ include "kubevitals.host" . }}
  {{- else }}
  insecureSkipVerify: true
  {{- end }}
{{- end }}
{{- with $monitor.relabelings }}
relabelings:
{{ toYaml . }}
{{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
{{ toYaml . }}
{{- end }}
{{- end }}
