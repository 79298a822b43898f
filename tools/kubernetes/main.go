// Command kubernetes reads the manifests of a Helm chart from stdin and validates them with the API server's own code: it decodes
// them strictly, sets the defaults, and calls the validation that the server calls when an object is created. It prints each object
// with the result, and fails if one is invalid. Custom resources, which the server validates by schemas of their own, are only
// listed.
//
// It has a module of its own, because Kubernetes is large and its go.mod needs replacements.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podapi "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	autoscalingvalidation "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	kyaml "sigs.k8s.io/yaml"
)

// namespace is the namespace of the objects, whose manifests leave it to Helm.
const namespace = "default"

func main() {
	if err := check(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

// check validates all manifests. The error lists those that are invalid.
func check(in io.Reader, out io.Writer) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	decoder := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDecoder()
	var wrong []error
	for n := 0; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				wrong = append(wrong, errors.New("stdin has no manifests"))
			}
			return errors.Join(wrong...)
		}
		if err != nil {
			return err
		}
		var head metav1.PartialObjectMetadata
		if err := kyaml.Unmarshal(document, &head); err != nil {
			return err
		}
		if !legacyscheme.Scheme.IsGroupRegistered(head.GroupVersionKind().Group) {
			fmt.Fprintf(out, "%-24s %s: not validated, because it is a custom resource\n", head.Kind, head.Name)
			continue
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err == nil {
			object.(metav1.Object).SetNamespace(namespace) // a chart has only kinds with metadata
			err = validate(object)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s %s: %w", head.Kind, head.Name, err))
			continue
		}
		fmt.Fprintf(out, "%-24s %s: valid\n", head.Kind, head.Name)
	}
}

// validate validates an object in its internal version, as on its creation.
func validate(object runtime.Object) error {
	var invalid field.ErrorList
	switch o := object.(type) {
	case *apps.Deployment:
		invalid = appsvalidation.ValidateDeployment(o, podapi.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil))
	case *batch.CronJob:
		invalid = batchvalidation.ValidateCronJobCreate(o, podapi.GetValidationOptionsFromPodTemplate(&o.Spec.JobTemplate.Spec.Template, nil))
	case *core.Service:
		if o.Spec.ClusterIP != "" && o.Spec.ClusterIPs == nil {
			o.Spec.ClusterIPs = []string{o.Spec.ClusterIP} // as the server does before it validates
		}
		invalid = corevalidation.ValidateServiceCreate(o)
	case *core.ServiceAccount:
		invalid = corevalidation.ValidateServiceAccount(o)
	case *core.ConfigMap:
		invalid = corevalidation.ValidateConfigMap(o)
	case *networking.NetworkPolicy:
		invalid = networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.ValidationOptionsForNetworking(o, nil))
	case *autoscaling.HorizontalPodAutoscaler:
		invalid = autoscalingvalidation.ValidateHorizontalPodAutoscaler(o, autoscalingvalidation.HorizontalPodAutoscalerSpecValidationOptions{
			MinReplicasLowerBound:          1,
			ObjectMetricsValidationOptions: autoscalingvalidation.CrossVersionObjectReferenceValidationOptions{AllowEmptyAPIGroup: true},
		})
	case *policy.PodDisruptionBudget:
		invalid = policyvalidation.ValidatePodDisruptionBudget(o, policyvalidation.PodDisruptionBudgetValidationOptions{})
	default:
		return fmt.Errorf("there is no validation for %T: add it", object)
	}
	return invalid.ToAggregate()
}
