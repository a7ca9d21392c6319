{{/* The command line of a part, as a JSON list. */}}

{{- define "kubevitals.args" -}}
{{- $args := list .part (printf "--listen=:%s" (include "kubevitals.port" .)) }}
{{- if .root.Values.auth.enabled }}
{{- $args = append $args "--auth=kubernetes" }}
{{- with .root.Values.auth.audiences }}{{ $args = append $args (printf "--auth-audience=%s" (join "," .)) }}{{ end }}
{{- if include "kubevitals.hasTLSSecret" . }}
{{- $args = concat $args (list "--tls-cert=/etc/kubevitals/tls/tls.crt" "--tls-key=/etc/kubevitals/tls/tls.key") }}
{{- else }}
{{- $args = concat $args (list "--tls-self-signed" (printf "--tls-host=%s" (include "kubevitals.host" .))) }}
{{- end }}
{{- end }}
{{- if .values.args }}{{ $args = concat $args .values.args }}
{{- else if eq .part "state" }}{{ $args = concat $args (include "kubevitals.stateArgs" . | fromJsonArray) }}
{{- else }}{{ $args = concat $args (include "kubevitals.podsArgs" . | fromJsonArray) }}{{ end }}
{{- toJson (concat $args .values.extraArgs) }}
{{- end }}

{{- define "kubevitals.stateArgs" -}}
{{- $v := .values }}
{{- $args := list }}
{{- with $v.catalogs }}{{ $args = append $args (printf "--catalog=%s" (join "," .)) }}{{ end }}
{{- with $v.enable }}{{ $args = append $args (printf "--enable=%s" (join "," .)) }}{{ end }}
{{- range $name, $value := $v.params }}
{{- $args = append $args (printf "--param=%s=%s" $name (kindIs "slice" $value | ternary (join "," $value) (kindIs "float64" $value | ternary (toJson $value) (toString $value)))) }}
{{- end }}
{{- if $v.rules }}{{ $args = append $args "--rules=/etc/kubevitals/rules" }}{{ end }}
{{- if .root.Values.customResourceState.enabled }}
{{- $args = append $args (printf "--custom-resource-state-config-file=/etc/customresourcestate/%s" .root.Values.customResourceState.key) }}
{{- end }}
{{- with $v.rulesConfigMaps }}{{ $args = append $args (printf "--rules-configmaps=%s" .) }}{{ end }}
{{- if ne $v.collect "watch" }}{{ $args = append $args (printf "--collect=%s" $v.collect) }}{{ end }}
{{- with $v.namespaces }}{{ $args = append $args (printf "--namespaces=%s" (join "," .)) }}{{ end }}
{{- if $v.metricPipelines }}{{ $args = append $args "--metric-pipelines" }}{{ end }}
{{- if eq $v.kind "StatefulSet" }}{{ $args = concat $args (list "--pod=$(POD_NAME)" "--pod-namespace=$(POD_NAMESPACE)") }}{{ end }}
{{- toJson (concat $args (include "kubevitals.pushArgs" . | fromJsonArray)) }}
{{- end }}

{{- define "kubevitals.podsArgs" -}}
{{- $v := .values }}
{{- $args := list (printf "--selector=%s" (required "pods.selector: which pods are to be asked? Set a label selector, such as app=web" $v.selector)) (printf "--budget=%s" $v.budget) }}
{{- with $v.namespaces }}{{ $args = append $args (printf "--namespaces=%s" (join "," .)) }}{{ end }}
{{- if eq $v.kind "DaemonSet" }}{{ $args = append $args "--node-name=$(NODE_NAME)" }}
{{- else if eq $v.kind "StatefulSet" }}{{ $args = append $args (printf "--shard=auto/%d" (int $v.replicas)) }}{{ end }}
{{- toJson (concat $args (include "kubevitals.pushArgs" . | fromJsonArray)) }}
{{- end }}

{{- define "kubevitals.pushArgs" -}}
{{- $args := list }}
{{- with .values.otlpEndpoint }}{{ $args = append $args (printf "--otlp-endpoint=%s" .) }}{{ end }}
{{- if .values.leaderElection }}
{{- if and (eq .part "pods") (ne .values.kind "Deployment") }}{{ fail (printf "pods.leaderElection: each pod of a %s pushes what it has scraped: there is no leader among them" .values.kind) }}{{ end }}
{{- $args = concat $args (list "--leader-elect" (printf "--leader-elect-name=%s" (include "kubevitals.name" .))) }}
{{- end }}
{{- toJson $args }}
{{- end }}
