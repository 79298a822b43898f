"""Syncs a Stripe account into PostgreSQL every half hour, in a pod of its own.

The container resumes from the states that it stores with the rows, so a run that is killed or fails loses nothing: the retry,
or the next run, continues where it stopped.
"""

from datetime import datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.sdk import DAG
from kubernetes.client import models as k8s

IMAGE = "registry.example.com/stripe-connector-full:0.1.0"  # with database drivers
ARGUMENTS = [
    "sync",
    "--config=/etc/stripe-connector/config.json",
    "--to=postgres://loader@db.example.com/warehouse?schema=stripe",
    "--exclude=invoice_items",
    "--format=json",
]

with DAG(
    dag_id="stripe_sync",
    schedule="*/30 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,  # a sync reads everything since the last one, so there is nothing to make up for
    max_active_runs=1,  # a second sync into the same tables would fail
):
    KubernetesPodOperator(
        task_id="sync",
        name="stripe-sync",
        image=IMAGE,
        arguments=ARGUMENTS,
        secrets=[
            # Keys of Secrets: config.json, as `stripe-connector spec` describes it, and the database's password.
            Secret("volume", "/etc/stripe-connector", "stripe-acme"),
            Secret("env", "PGPASSWORD", "warehouse", "password"),
        ],
        security_context=k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=65532,
            fs_group=65532,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "1Gi"}
        ),
        automount_service_account_token=False,
        retries=2,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(hours=6),  # the next run resumes
    )
