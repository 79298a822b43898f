{{- /* The container's arguments. deploy/check-chart.sh compares them with the flags of the command. */ -}}
{{- define "stripe-connector.arguments" -}}
- serve
{{- /* Without a host, on IPv4 and IPv6. */}}
- --listen=:{{ .Values.service.port }}
- --health-listen=:50052
{{- if .Values.metrics.enabled }}
- --metrics-listen=:{{ .Values.metrics.port }}
{{- end }}
- --drain={{ .Values.drainSeconds }}s
{{- if .Values.tls.secretName }}
- --tls-cert=/etc/stripe-connector/tls/tls.crt
- --tls-key=/etc/stripe-connector/tls/tls.key
{{- if .Values.tls.clientCASecretName }}
- --tls-client-ca=/etc/stripe-connector/client-ca/ca.crt
{{- end }}
{{- else }}
- --insecure
{{- end }}
{{- if .Values.auth.tokensSecretName }}
- --tokens=/etc/stripe-connector/auth/tokens
{{- end }}
{{- if .Values.secrets.secretName }}
- --secrets-dir=/etc/stripe-connector/secrets
{{- end }}
{{- range .Values.allowedAPIBases }}
- {{ printf "--allow-api-base=%s" . | quote }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The mounted Secrets, as a map from directory to name. */ -}}
{{- define "stripe-connector.folders" -}}
{{- with .Values.tls.secretName }}
tls: {{ . }}
{{- end }}
{{- with .Values.tls.clientCASecretName }}
client-ca: {{ . }}
{{- end }}
{{- with .Values.auth.tokensSecretName }}
auth: {{ . }}
{{- end }}
{{- with .Values.secrets.secretName }}
secrets: {{ . }}
{{- end }}
{{- end }}

{{- /*
The environment of a container with env and resources, or nothing. GOMEMLIMIT, unless env sets it, makes Go collect garbage sooner
to stay below 90 % of the memory limit. The rest is for memory that Go doesn't count.
*/ -}}
{{- define "stripe-connector.env" -}}
{{- $env := index . 0 | default list }}{{ $memory := include "stripe-connector.memory" (index . 1) }}
{{- $names := list }}
{{- range $env }}{{ $names = append $names .name }}{{ end }}
{{- if and $memory (not (has "GOMEMLIMIT" $names)) }}
{{- $env = prepend $env (dict "name" "GOMEMLIMIT" "value" $memory) }}
{{- end }}
{{- with $env }}{{ toYaml . }}{{ end }}
{{- end }}

{{- /* 90 % of the memory limit of resources, in bytes, the unit that GOMEMLIMIT expects; empty without a limit. */ -}}
{{- define "stripe-connector.memory" -}}
{{- with ((.).limits).memory }}
{{- $text := toString . }}
{{- if typeIs "float64" . }}{{ $text = printf "%.0f" . }}{{ end }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $unit := regexFind "[A-Za-z]*$" $text }}
{{- $number := trimSuffix $unit $text }}
{{- if not (and (hasKey $units $unit) (regexMatch "^[0-9]+(\\.[0-9]+)?$" $number)) }}
{{- fail (printf "resources.limits.memory is %s: write it like 1Gi or 512Mi." $text) }}
{{- end }}
{{- mulf (float64 $number) (index $units $unit) 0.9 | int64 }}
{{- end }}
{{- end }}

{{- /* The arguments of a pipeline's sync. */ -}}
{{- define "stripe-connector.sync" -}}
{{- $root := index . 0 }}{{ $pipeline := index . 1 }}{{ $defaults := $root.Values.pipelineDefaults -}}
- sync
- --config=/etc/stripe-connector/config/config.json
- {{ printf "--to=%s" $pipeline.destination | quote }}
- --target=dns:///{{ include "stripe-connector.name" $root }}-headless.{{ $root.Release.Namespace }}.svc:{{ $root.Values.service.port }}
{{- if $root.Values.tls.secretName }}
- --ca-file=/etc/stripe-connector/ca/ca.crt
{{- else }}
- --plaintext
{{- end }}
{{- if $defaults.clientSecretName }}
- --cert-file=/etc/stripe-connector/client/tls.crt
- --key-file=/etc/stripe-connector/client/tls.key
{{- end }}
{{- if $defaults.tokenSecretName }}
- --token-file=/etc/stripe-connector/token/token
{{- end }}
{{- with $pipeline.select }}
- {{ printf "--select=%s" (join "," .) | quote }}
{{- end }}
{{- with $pipeline.exclude }}
- {{ printf "--exclude=%s" (join "," .) | quote }}
{{- end }}
{{- if $pipeline.reconcile }}
- --reconcile
{{- end }}
{{- end }}

{{- /* The Secrets that a pipeline mounts, as a map from directory to name. */ -}}
{{- define "stripe-connector.syncFolders" -}}
{{- $root := index . 0 }}{{ $pipeline := index . 1 }}{{ $defaults := $root.Values.pipelineDefaults -}}
config: {{ $pipeline.configSecretName }}
{{- with $root.Values.tls.secretName }}
ca: {{ $defaults.caSecretName | default . }}
{{- end }}
{{- with $defaults.clientSecretName }}
client: {{ . }}
{{- end }}
{{- with $defaults.tokenSecretName }}
token: {{ . }}
{{- end }}
{{- end }}
