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
{{- $names := list }}
{{- range .Values.env }}{{ $names = append $names .name }}{{ end }}
{{- if .Values.tracing.endpoint }}{{ $names = append $names "OTEL_EXPORTER_OTLP_ENDPOINT" }}{{ end }}
{{- if ne (len $names) (len (uniq $names)) }}
{{- fail "env names a variable twice, or OTEL_EXPORTER_OTLP_ENDPOINT besides tracing.endpoint." }}
{{- end }}
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
{{- if gt (len (printf "%s-%s" (include "stripe-connector.name" $) $name)) 52 }}
{{- fail (printf "The CronJob of pipeline %s would have a name of more than 52 characters: shorten the pipeline's name or set fullnameOverride." $name) }}
{{- end }}
{{- if regexMatch "^postgres(ql)?://[^/]*:[^/]*@" $pipeline.destination }}
{{- fail (printf "The destination of pipeline %s has a password, which anyone who may read CronJobs can see: set PGPASSWORD in its env." $name) }}
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.podLabels }}
{{- if hasPrefix "app.kubernetes.io/" $name }}
{{- fail (printf "podLabels may not hold %s: the chart sets it." $name) }}
{{- end }}
{{- end }}
{{- end }}
