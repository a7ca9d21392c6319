package kubeauth

import (
	"slices"
	"testing"
)

func TestHash(t *testing.T) {
	secret := []byte("secret")
	seen := map[key][]string{}
	for _, parts := range [][]string{nil, {""}, {"", ""}, {"a"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"a", "", "b"}, {"a\x00b"}, {"a\x00\x00\x00\x00\x00\x00\x00\x00b"}} {
		k := hash(secret, parts...)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q have one name", parts, other)
		}
		seen[k] = parts
		if hash([]byte("other"), parts...) == k {
			t.Errorf("%q: the name does not depend on the secret", parts)
		}
	}
}

// TestAccessKeys demands that nothing that a review is about is left out of
// the key, and that what belongs to one field cannot pass for another.
func TestAccessKeys(t *testing.T) {
	api := newFakeAPI(t)
	a := api.auth(Config{})
	users := []User{
		{Name: "prom"},
		{Name: "prom", UID: "u"},
		{Name: "prom", Groups: []string{"u"}},
		{Name: "prom", Groups: []string{"u", "v"}},
		{Name: "prom", Groups: []string{"u"}, Extra: map[string][]string{"v": nil}},
		{Name: "prom", Extra: map[string][]string{"u": {"v"}}},
		{Name: "prom", Extra: map[string][]string{"u": {}, "v": {}}},
		{Name: "prom", Extra: map[string][]string{"u": {"v", "w"}}},
		{Name: "prom", Groups: []string{"u"}, Extra: map[string][]string{"v": {"w"}}},
		{Name: "prom", Groups: []string{"u", "v", "1", "w"}},
		{Name: "x"},
	}
	n := 0
	for _, user := range users {
		for _, verb := range []string{"get", "put"} {
			for _, path := range []string{"/a", "/b"} {
				n++
				for range 3 {
					if _, err := a.reviewAccess(t.Context(), user, verb, path); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	api.want("all", 0, n)
}

func TestSecretsDiffer(t *testing.T) {
	api := newFakeAPI(t)
	if a, b := api.auth(Config{}), api.auth(Config{}); slices.Equal(a.secret, b.secret) || len(a.secret) != 32 {
		t.Errorf("secrets are %x and %x", a.secret, b.secret)
	}
}

func FuzzDecodeReview(f *testing.F) {
	for _, status := range []string{
		`{"authenticated":true,"user":{"username":"x","groups":["g"],"extra":{"a":["b"]}},"audiences":["a"]}`,
		`{"authenticated":false,"error":"x"}`, `{"authenticated":true}`, `{"allowed":true}`, `{"allowed":true,"denied":true}`, `null`, `[]`,
	} {
		f.Add([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":` + status + `}`))
		f.Add([]byte(`{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","status":` + status + `}`))
	}
	f.Add([]byte(`{"kind":"Status"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := decodeTokenReview(data, nil)
		if token.good && (err != nil || token.user.Name == "" || !slices.Contains(token.user.Groups, authenticated)) {
			t.Fatalf("%+v, %v", token, err)
		}
		if !token.good && token.user.Name != "" {
			t.Fatal("a refused token has a user")
		}
		if ours, _ := decodeTokenReview(data, []string{"a"}); ours.good && !token.good {
			t.Fatal("an audience makes a bad token good")
		}
		access, err2 := decodeAccessReview(data)
		if access.good && err2 != nil || err == nil && err2 == nil {
			t.Fatalf("%v, %v, %v", access.good, err, err2)
		}
	})
}
