package interop_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/stocktake/stocktake/internal/testserver"
)

// manifests are the objects of one file for Kubernetes.
type manifests struct {
	configs  map[string]corev1.ConfigMap
	secrets  map[string]corev1.Secret
	services []corev1.Service
	budgets  []policyv1.PodDisruptionBudget
	pods     map[string]corev1.PodTemplateSpec // by the kind of the objects that create them
	claims   []corev1.PersistentVolumeClaim
}

var betweenDocuments = regexp.MustCompile(`(?m)^---\n`)

// readManifests decodes a file into the types of the API. An unknown field is an error.
func readManifests(t *testing.T, path string) manifests {
	t.Helper()
	m := manifests{map[string]corev1.ConfigMap{}, map[string]corev1.Secret{}, nil, nil, map[string]corev1.PodTemplateSpec{}, nil}
	for _, doc := range betweenDocuments.Split(readFile(t, path), -1) {
		var of struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(doc), &of); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		decode := func(into any) {
			if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
				t.Fatalf("%s: %s: %v", path, of.Kind, err)
			}
		}
		selects := func(selector map[string]string, template corev1.PodTemplateSpec) {
			if len(selector) == 0 || !maps.Equal(selector, template.Labels) {
				t.Errorf("%s: %s selects pods by %v, they have %v", path, of.Kind, selector, template.Labels)
			}
		}
		switch of.APIVersion + " " + of.Kind {
		case "v1 ConfigMap":
			var o corev1.ConfigMap
			decode(&o)
			m.configs[o.Name] = o
		case "v1 Secret":
			var o corev1.Secret
			decode(&o)
			m.secrets[o.Name] = o
		case "v1 Service":
			var o corev1.Service
			decode(&o)
			m.services = append(m.services, o)
		case "policy/v1 PodDisruptionBudget":
			var o policyv1.PodDisruptionBudget
			decode(&o)
			m.budgets = append(m.budgets, o)
		case "apps/v1 StatefulSet":
			var o appsv1.StatefulSet
			decode(&o)
			selects(o.Spec.Selector.MatchLabels, o.Spec.Template)
			m.pods[of.Kind], m.claims = o.Spec.Template, o.Spec.VolumeClaimTemplates
		case "apps/v1 Deployment":
			var o appsv1.Deployment
			decode(&o)
			selects(o.Spec.Selector.MatchLabels, o.Spec.Template)
			m.pods[of.Kind] = o.Spec.Template
		case "batch/v1 Job":
			var o batchv1.Job
			decode(&o)
			m.pods[of.Kind] = o.Spec.Template
		default:
			t.Fatalf("%s: no check knows %s %s", path, of.APIVersion, of.Kind)
		}
	}
	return m
}

// isRestricted returns the violations of the pod security standard "restricted", and
// of a read-only root.
func isRestricted(p corev1.PodSpec) (why []string) {
	refuse := func(bad bool, what string) {
		if bad {
			why = append(why, what)
		}
	}
	refuse(p.HostNetwork || p.HostPID || p.HostIPC, "a namespace of the host")
	s := p.SecurityContext
	refuse(s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot, "runAsNonRoot")
	refuse(s == nil || s.RunAsUser == nil || *s.RunAsUser == 0, "runAsUser")
	refuse(s == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault, "seccompProfile")
	for _, v := range p.Volumes {
		refuse(v.HostPath != nil, "hostPath")
	}
	refuse(p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken, "automountServiceAccountToken")
	for _, c := range p.Containers {
		s := c.SecurityContext
		refuse(s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation, "allowPrivilegeEscalation")
		refuse(s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem, "readOnlyRootFilesystem")
		refuse(s == nil || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0, "capabilities")
	}
	return why
}

// TestDeployKubernetes decodes the manifests strictly, checks rules that the types do
// not express, and lets the server check the settings in them.
func TestDeployKubernetes(t *testing.T) {
	binary := build(t)
	files, err := filepath.Glob(filepath.Join(deployFolder, "kubernetes/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, path := range files {
		m := readManifests(t, path)
		for kind, template := range m.pods {
			kinds = append(kinds, kind)
			p := template.Spec
			if why := isRestricted(p); why != nil {
				t.Errorf("%s: %s: not restricted: %v", path, kind, why)
			}
			if p.EnableServiceLinks == nil || *p.EnableServiceLinks {
				t.Errorf("%s: %s: variables of services may look like settings", path, kind)
			}
			checkMounts(t, path+": "+kind, m, p)
			if kind == "Job" {
				continue
			}
			c := p.Containers[0]
			ports := map[string]bool{}
			for _, port := range c.Ports {
				ports[port.Name] = true
			}
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if probe == nil || probe.HTTPGet == nil || !ports[probe.HTTPGet.Port.StrVal] {
					t.Errorf("%s: %s: a probe is missing or asks at no port", path, kind)
				}
			}
			for _, s := range m.services {
				if !maps.Equal(s.Spec.Selector, template.Labels) {
					t.Errorf("%s: service %s selects %v", path, s.Name, s.Spec.Selector)
				}
				for _, port := range s.Spec.Ports {
					if !ports[port.TargetPort.StrVal] {
						t.Errorf("%s: service %s leads to the port %s, which is not there", path, s.Name, port.TargetPort.String())
					}
				}
			}
			for _, b := range m.budgets {
				if !maps.Equal(b.Spec.Selector.MatchLabels, template.Labels) {
					t.Errorf("%s: the budget selects %v", path, b.Spec.Selector.MatchLabels)
				}
			}
			checkSettings(t, binary, m)
		}
	}
	slices.Sort(kinds)
	if got := fmt.Sprint(kinds); got != "[Deployment Job StatefulSet]" {
		t.Errorf("pods are made by %s", got)
	}
}

// checkMounts checks that everything that is mounted exists.
func checkMounts(t *testing.T, where string, m manifests, p corev1.PodSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, c := range m.claims {
		volumes[c.Name] = true
	}
	for _, v := range p.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && m.configs[v.ConfigMap.Name].Data == nil {
			t.Errorf("%s: there is no ConfigMap %s", where, v.ConfigMap.Name)
		}
		if v.Secret != nil && m.secrets[v.Secret.SecretName].StringData == nil {
			t.Errorf("%s: there is no Secret %s", where, v.Secret.SecretName)
		}
	}
	for _, mount := range p.Containers[0].VolumeMounts {
		if !volumes[mount.Name] {
			t.Errorf("%s: mounts %s, which is not a volume", where, mount.Name)
		}
	}
}

// checkSettings lets the server check the settings of a file, with the declared accounts in a
// file of this machine.
func checkSettings(t *testing.T, binary string, m manifests) {
	t.Helper()
	settings := m.configs["stocktake"].Data["stocktake.yaml"]
	env := []string{"OSS_ACCESS_KEY_ID=id", "OSS_ACCESS_KEY_SECRET=secret"}
	if access, ok := m.secrets["stocktake-access"]; ok {
		file := filepath.Join(t.TempDir(), "access.yaml")
		if err := os.WriteFile(file, []byte(access.StringData["access.yaml"]), 0o600); err != nil {
			t.Fatal(err)
		}
		placed := strings.Replace(settings, "/etc/stocktake-access/access.yaml", file, 1)
		if placed == settings {
			t.Error("the settings do not name the declared accounts")
		}
		settings = placed
		env = append(env, "STOCKTAKE_DATABASE=postgres://stocktake@db.example.com/stocktake", "STOCKTAKE_MASTER_KEY="+testserver.MasterKey, "LAKE_ACCESS_KEY_ID=id", "LAKE_ACCESS_KEY_SECRET=secret")
	}
	settingsAreValid(t, binary, settings, env...)
}
