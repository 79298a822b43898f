{{- /* The arguments of the container. A check compares them with the flags that the command has. */ -}}
{{- define "stripe-connector.arguments" -}}
{{- if and (not .Values.metrics.enabled) (or .Values.serviceMonitor.enabled .Values.autoscaling.enabled) }}
{{- fail "serviceMonitor and autoscaling live on metrics: set metrics.enabled" }}
{{- end }}
- serve
- --listen=0.0.0.0:{{ .Values.service.port }}
- --health-listen=0.0.0.0:50052
{{- if .Values.metrics.enabled }}
- --metrics-listen=0.0.0.0:{{ .Values.metrics.port }}
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
- --allow-api-base={{ . }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The Secrets that are mounted: folder to name. */ -}}
{{- define "stripe-connector.folders" -}}
{{- with .Values.tls.secretName }}
tls: {{ . }}
{{- end }}
{{- if .Values.tls.secretName }}{{ with .Values.tls.clientCASecretName }}
client-ca: {{ . }}
{{- end }}{{ end }}
{{- with .Values.auth.tokensSecretName }}
auth: {{ . }}
{{- end }}
{{- with .Values.secrets.secretName }}
secrets: {{ . }}
{{- end }}
{{- end }}
