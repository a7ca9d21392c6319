package pods_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubevitals/kubevitals/test/podtest"
)

// startAPI starts as much of an API server as a proxy of pods needs, which lists
// them and lets it watch that nothing changes. It returns the path of a kubeconfig
// file.
func startAPI(t testing.TB, pods []*podtest.Pod) string {
	t.Helper()
	list := corev1.PodList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"},
	}
	for i, p := range pods {
		list.Items = append(list.Items, podObject(p, i))
	}
	body, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch query := r.URL.Query(); {
		case !strings.HasSuffix(r.URL.Path, "/pods"):
			http.NotFound(w, r)
		case query.Get("sendInitialEvents") != "":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"Invalid","code":422,"message":"lists are not streamed"}`))
		case query.Get("watch") != "":
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	config := clientcmdapi.NewConfig()
	config.Clusters["fake"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["fake"] = &clientcmdapi.Context{Cluster: "fake"}
	config.CurrentContext = "fake"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// podObject returns pod i as the API server has it.
func podObject(p *podtest.Pod, i int) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("pod-%04d", i), Namespace: namespace, UID: types.UID(fmt.Sprintf("uid-%d", i)),
			ResourceVersion: "1", CreationTimestamp: metav1.Unix(1_700_000_000, 0), Labels: map[string]string{"app": "bench"},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": p.Port()},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "x"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: p.IP(), PodIPs: []corev1.PodIP{{IP: p.IP()}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}
