{{- /* Fails for values that contradict each other. Above all, a value that asks for protection either takes effect or fails. */ -}}
{{- define "stripe-connector.checks" -}}
{{- $tls := .Values.tls.secretName }}
{{- $authenticated := or .Values.tls.clientCASecretName .Values.auth.tokensSecretName }}
{{- if and (not $tls) (not .Values.tls.insecure) }}
{{- fail "Calls carry API keys: name a certificate in tls.secretName, or set tls.insecure if a service mesh encrypts them." }}
{{- end }}
{{- if and $tls .Values.tls.insecure }}
{{- fail "tls.insecure and tls.secretName contradict each other: set one of them." }}
{{- end }}
{{- if and .Values.tls.clientCASecretName (not $tls) }}
{{- fail "tls.clientCASecretName asks for client certificates, which need TLS: set tls.secretName too." }}
{{- end }}
{{- if and .Values.auth.tokensSecretName (not $tls) }}
{{- fail "auth.tokensSecretName would send tokens in clear text: set tls.secretName too." }}
{{- end }}
{{- if and .Values.secrets.secretName (not $authenticated) }}
{{- fail "secrets.secretName would let every caller use the keys in it: set auth.tokensSecretName or tls.clientCASecretName too." }}
{{- end }}
{{- $name := include "stripe-connector.name" . }}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $name) }}
{{- fail (printf "Services can't have the name %s, because it must begin with a letter and have only a-z, 0-9 and hyphens: set fullnameOverride, such as %s." $name (regexReplaceAll "[^a-z0-9]+" $name "-" | printf "r%s" | trunc 40 | trimSuffix "-")) }}
{{- end }}
{{- $pod := mergeOverwrite (dict) (.Values.podSecurityContext | default dict) (.Values.securityContext | default dict) }}
{{- if and $pod.runAsNonRoot (eq (toString $pod.runAsUser) "0") }}
{{- fail "securityContext.runAsUser is 0, but runAsNonRoot is true: choose another user. The image needs none in particular." }}
{{- end }}
{{- if not .Values.image.repository }}
{{- fail "Set image.repository to where you have pushed the image." }}
{{- end }}
{{- if and (not .Values.image.tag) (not .Values.image.digest) (eq .Chart.AppVersion "dev") }}
{{- fail "This chart was not released with an image of its own: set image.tag or image.digest." }}
{{- end }}
{{- if and (not .Values.metrics.enabled) (or .Values.serviceMonitor.enabled .Values.autoscaling.enabled) }}
{{- fail "serviceMonitor and autoscaling need metrics: set metrics.enabled." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas." }}
{{- end }}
{{- $ports := list 50052 (int .Values.service.port) }}
{{- if .Values.metrics.enabled }}{{ $ports = append $ports (int .Values.metrics.port) }}{{ end }}
{{- if ne (len $ports) (len (uniq $ports)) }}
{{- fail "service.port, metrics.port and 50052, the port of the probes, must differ." }}
{{- end }}
{{- if and (not .Values.networkPolicy.enabled) (or .Values.networkPolicy.callers .Values.networkPolicy.scrapers .Values.networkPolicy.extraEgress) }}
{{- fail "networkPolicy.callers, scrapers and extraEgress have no effect: set networkPolicy.enabled." }}
{{- end }}
{{- if and .Values.serviceAccount.name .Values.serviceAccount.annotations }}
{{- fail "serviceAccount.annotations have no effect on an account that the chart does not create: leave serviceAccount.name empty." }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if regexMatch "^--(listen|health-listen|metrics-listen|drain|tls-cert|tls-key|tls-client-ca|tokens|secrets-dir|insecure|allow-api-base)(=.*)?$" . }}
{{- fail (printf "extraArgs may not hold %s: there is a value for it." (regexFind "^--[a-z-]+" .)) }}
{{- end }}
{{- end }}
{{- $env := .Values.env }}
{{- with .Values.tracing.endpoint }}{{ $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT") }}{{ end }}
{{- include "stripe-connector.checkEnv" (list "env" $env) }}
{{- $pipelines := .Values.pipelineDefaults }}
{{- if .Values.pipelines }}
{{- if not $pipelines.image.repository }}
{{- fail "Pipelines need an image with database drivers: set pipelineDefaults.image.repository (make image PROGRAM=stripe-connector)." }}
{{- end }}
{{- if and (not $pipelines.image.tag) (not $pipelines.image.digest) (eq .Chart.AppVersion "dev") }}
{{- fail "This chart was not released with an image of its own: set pipelineDefaults.image.tag or pipelineDefaults.image.digest." }}
{{- end }}
{{- if and $authenticated (not $pipelines.tokenSecretName) (not $pipelines.clientSecretName) }}
{{- fail "The service would refuse the pipelines: set pipelineDefaults.tokenSecretName or pipelineDefaults.clientSecretName." }}
{{- end }}
{{- if and (not $authenticated) (or $pipelines.tokenSecretName $pipelines.clientSecretName) }}
{{- fail "pipelineDefaults.tokenSecretName and clientSecretName have no effect: set auth.tokensSecretName or tls.clientCASecretName." }}
{{- end }}
{{- end }}
{{- range $name, $pipeline := .Values.pipelines }}
{{- include "stripe-connector.checkPipeline" (list $ $name $pipeline) }}
{{- end }}
{{- range $path, $labels := dict "podLabels" .Values.podLabels "pipelineDefaults.podLabels" .Values.pipelineDefaults.podLabels }}
{{- range $name, $_ := $labels }}
{{- if hasPrefix "app.kubernetes.io/" $name }}
{{- fail (printf "%s may not hold %s: the chart sets it." $path $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
