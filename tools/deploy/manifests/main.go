// Command manifests reads Kubernetes manifests from stdin and validates them like the API server: each field must exist in
// the type of its kind. It also checks that the pods of Deployments and CronJobs are restricted. It fails on unknown kinds.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"
)

// empty returns a new object of the given kind, or nil if the kind is unknown.
func empty(kind metav1.TypeMeta) any {
	switch kind.APIVersion + " " + kind.Kind {
	case "v1 Service":
		return new(corev1.Service)
	case "v1 ConfigMap":
		return new(corev1.ConfigMap)
	case "v1 ServiceAccount":
		return new(corev1.ServiceAccount)
	case "apps/v1 Deployment":
		return new(appsv1.Deployment)
	case "batch/v1 CronJob":
		return new(batchv1.CronJob)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return new(autoscalingv2.HorizontalPodAutoscaler)
	case "networking.k8s.io/v1 NetworkPolicy":
		return new(networkingv1.NetworkPolicy)
	case "policy/v1 PodDisruptionBudget":
		return new(policyv1.PodDisruptionBudget)
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return new(monitoringv1.ServiceMonitor)
	case "monitoring.coreos.com/v1 PrometheusRule":
		return new(monitoringv1.PrometheusRule)
	}
	return nil
}

func main() {
	n, err := check(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
	fmt.Printf("%d manifests\n", n)
}

// check validates the manifests and returns their number. The error lists all that are invalid.
func check(in io.Reader) (int, error) {
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	var wrong []error
	for n := 0; ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				wrong = append(wrong, errors.New("stdin has no manifests"))
			}
			return n, errors.Join(wrong...)
		}
		if err != nil {
			return n, err
		}
		var head metav1.PartialObjectMetadata
		if err := kyaml.Unmarshal(document, &head); err != nil {
			return n, fmt.Errorf("%w in\n%s", err, document)
		}
		if head.Kind == "" && len(bytes.TrimSpace(document)) < 200 {
			continue // only a comment
		}
		n++
		where := fmt.Sprintf("%s %s", head.Kind, head.Name)
		object := empty(head.TypeMeta)
		if object == nil {
			wrong = append(wrong, fmt.Errorf("%s: %s is an unknown kind", where, head.APIVersion))
			continue
		}
		if err := decode(document, object); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", where, err))
		}
		if pod := podOf(object); pod != nil {
			if err := restricted(*pod); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", where, err))
			}
		}
	}
}

// podOf returns the pod that an object makes, or nil.
func podOf(object any) *corev1.PodSpec {
	switch object := object.(type) {
	case *appsv1.Deployment:
		return &object.Spec.Template.Spec
	case *batchv1.CronJob:
		return &object.Spec.JobTemplate.Spec.Template.Spec
	}
	return nil
}

// decode decodes a manifest as strictly as the API server. It fails on unknown fields, and field names are case-sensitive.
func decode(document []byte, object any) error {
	text, err := kyaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	unknown, err := kjson.UnmarshalStrict(text, object)
	return errors.Join(append(unknown, err)...)
}

// restricted checks that a pod meets the restricted standard
// (https://kubernetes.io/docs/concepts/security/pod-security-standards/), mounts no service account token, has a read-only
// root file system, and has a grace period that is longer than its preStop hook.
func restricted(pod corev1.PodSpec) error {
	is := func(b *bool, want bool) bool { return b != nil && *b == want }
	p := pod.SecurityContext
	if p == nil || !is(p.RunAsNonRoot, true) || p.SeccompProfile == nil || p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		return errors.New("the pod is not restricted")
	}
	if !is(pod.AutomountServiceAccountToken, false) {
		return errors.New("the token of the service account is mounted")
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil || !is(s.AllowPrivilegeEscalation, false) || !is(s.ReadOnlyRootFilesystem, true) ||
			s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			return fmt.Errorf("container %s is not restricted", c.Name)
		}
		if c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PreStop.Sleep != nil &&
			(pod.TerminationGracePeriodSeconds == nil || *pod.TerminationGracePeriodSeconds <= c.Lifecycle.PreStop.Sleep.Seconds) {
			return fmt.Errorf("container %s is killed before its preStop hook has ended", c.Name)
		}
	}
	return nil
}
