{{- /* Fails for a pipeline that couldn't work: its root context, name and values. */ -}}
{{- define "stripe-connector.checkPipeline" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}{{ $pipeline := index . 2 }}
{{- $prefix := include "stripe-connector.name" $root }}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" $name) }}
{{- fail (printf "pipelines: %q would be part of a CronJob's name, so it may have only a-z, 0-9 and hyphens: call it %s." $name (regexReplaceAll "[^a-z0-9]+" (lower $name) "-" | trimAll "-" | default "pipeline")) }}
{{- end }}
{{- if gt (len (printf "%s-%s" $prefix $name)) 52 }}
{{- fail (printf "The CronJob of pipeline %s would have the name %s-%s, with more than 52 characters: shorten the pipeline's name, or set fullnameOverride to a name shorter than %s." $name $prefix $name $prefix) }}
{{- end }}
{{- if not (regexMatch "^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|[^ =@]+( +[^ =@]+){4})$" $pipeline.schedule) }}
{{- fail (printf "pipelines.%s.schedule is %q: write five cron fields, such as 0 */6 * * *, or a name such as @hourly. CronJobs can't express other intervals, such as every 7h: use stripe-connector run or Temporal for those. Set time zones in timeZone." $name $pipeline.schedule) }}
{{- end }}
{{- if not (regexMatch "^([A-Za-z0-9_+/-]*)$" ($pipeline.timeZone | default "")) }}
{{- fail (printf "pipelines.%s.timeZone is %q: write the name of a time zone, such as Europe/Zurich." $name $pipeline.timeZone) }}
{{- end }}
{{- include "stripe-connector.checkDestination" (list (printf "pipelines.%s" $name) $pipeline) }}
{{- include "stripe-connector.checkEnv" (list (printf "pipelines.%s.env" $name) $pipeline.env) }}
{{- end }}

{{- /* Fails for a destination that couldn't be opened, would be lost with the pod, or shows a password. */ -}}
{{- define "stripe-connector.checkDestination" -}}
{{- $path := index . 0 }}{{ $pipeline := index . 1 }}{{ $to := $pipeline.destination }}
{{- if not (regexMatch "^(postgres(ql)?://|sqlite:.|jsonl:.)" $to) }}
{{- fail (printf "%s.destination must begin with postgres://, sqlite: or jsonl:." $path) }}
{{- end }}
{{- if or (regexMatch "^postgres(ql)?://[^/]*:[^/]*@" $to) (regexMatch "[?&][a-z]*password=" $to) }}
{{- fail (printf "%s.destination has a password, which anyone who may read CronJobs can see: set PGPASSWORD in its env, from a Secret." $path) }}
{{- end }}
{{- if regexMatch "^(sqlite|jsonl):" $to }}
{{- $folder := regexReplaceAll "^[a-z]+:|[?].*$" $to "" | clean }}
{{- if hasPrefix "sqlite:" $to }}{{ $folder = dir $folder }}{{ end }}
{{- $volume := "" }}
{{- range $pipeline.volumeMounts }}
{{- if and (hasPrefix (printf "%s/" (clean .mountPath)) (printf "%s/" $folder)) (not .readOnly) }}{{ $volume = .name }}{{ end }}
{{- end }}
{{- if not $volume }}
{{- fail (printf "%s.destination is %s, which isn't on a volume that can be written: mount one at %s, with volumes and volumeMounts." $path $to (ternary $folder "/data" (isAbs $folder))) }}
{{- end }}
{{- range $pipeline.volumes }}
{{- if and (eq .name $volume) (hasKey . "emptyDir") }}
{{- fail (printf "%s.destination is on the emptyDir %s, which is deleted with the pod, so each run would read everything again: use a persistentVolumeClaim." $path $volume) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Fails for environment variables that are set twice or show a secret: their path, and entries of a container's env. */ -}}
{{- define "stripe-connector.checkEnv" -}}
{{- $path := index . 0 }}{{ $names := list }}
{{- range index . 1 }}
{{- if has .name $names }}
{{- fail (printf "%s sets %s twice, or besides a value of its own such as tracing.endpoint." $path .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- $secret := and (regexMatch "(?i)(password|passphrase|secret|token|api_?key)" .name) (not (regexMatch "(?i)_(file|dir|path)$" .name)) }}
{{- if and .value (or $secret (regexMatch "\\b[sr]k_(live|test)_" .value)) }}
{{- fail (printf "%s shows the value of %s to anyone who may read the chart's objects: use valueFrom with a secretKeyRef." $path .name) }}
{{- end }}
{{- end }}
{{- end }}
