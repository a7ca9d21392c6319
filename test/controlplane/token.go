package controlplane

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ServiceAccountToken returns a token of a service account, valid for an hour,
// by a TokenRequest. The account and its namespace are made if they are missing.
func (c *ControlPlane) ServiceAccountToken(ctx context.Context, namespace, name string) (string, error) {
	client, err := c.client()
	if err != nil {
		return "", err
	}
	if _, err := ensureAccount(ctx, client, namespace, name); err != nil {
		return "", err
	}
	request, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of service account %s/%s: %w", namespace, name, err)
	}
	return request.Status.Token, nil
}

// A TokenSpec says what is written in a token that SignToken signs.
type TokenSpec struct {
	// Namespace and Name are those of the service account.
	Namespace, Name string
	// Audiences are whom the token is for. None means the API server.
	Audiences []string
	// Expires is the end of the token's life. The API server grants a minute
	// more. The zero time means in an hour.
	Expires time.Time
}

// SignToken returns a token of a service account that was signed here with the
// API server's key, and so may say what no TokenRequest grants: an expired token
// for example. The account and its namespace are made if they are missing. It
// returns ErrNotOwned for a cluster that was not started here.
func (c *ControlPlane) SignToken(ctx context.Context, spec TokenSpec) (string, error) {
	if c.own == nil {
		return "", fmt.Errorf("signing a token: %w", ErrNotOwned)
	}
	client, err := c.client()
	if err != nil {
		return "", err
	}
	account, err := ensureAccount(ctx, client, spec.Namespace, spec.Name)
	if err != nil {
		return "", err
	}
	expires := spec.Expires
	if expires.IsZero() {
		expires = time.Now().Add(time.Hour)
	}
	audiences := spec.Audiences
	if len(audiences) == 0 {
		audiences = []string{issuer}
	}
	issued := min(time.Now().Unix(), expires.Add(-time.Hour).Unix())
	return c.own.key.sign(map[string]any{
		"iss": issuer,
		"sub": "system:serviceaccount:" + account.Namespace + ":" + account.Name,
		"aud": audiences,
		"iat": issued,
		"nbf": issued,
		"exp": expires.Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      account.Namespace,
			"serviceaccount": map[string]any{"name": account.Name, "uid": account.UID},
		},
	})
}

// ensureAccount returns a service account, which is made if it is missing.
func ensureAccount(ctx context.Context, client kubernetes.Interface, namespace, name string) (*corev1.ServiceAccount, error) {
	if err := ensureNamespace(ctx, client, namespace); err != nil {
		return nil, err
	}
	accounts := client.CoreV1().ServiceAccounts(namespace)
	account, err := accounts.Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		account, err = accounts.Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("making service account %s/%s: %w", namespace, name, err)
	}
	return account, nil
}

// ensureNamespace makes a namespace if it is missing.
func ensureNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	_, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making namespace %q: %w", name, err)
	}
	return nil
}

// A signingKey signs service account tokens.
type signingKey struct{ private *ecdsa.PrivateKey }

// newSigningKey makes a key.
func newSigningKey() (*signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of service account tokens: %w", err)
	}
	return &signingKey{private}, nil
}

// pem returns both halves of the key in the form that kube-apiserver reads.
func (k *signingKey) pem() (private, public string, err error) {
	privateDER, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return "", "", fmt.Errorf("encoding the key of service account tokens: %w", err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return "", "", fmt.Errorf("encoding the public key of service account tokens: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})), nil
}

// sign returns claims as a JSON Web Token with an ES256 signature (RFC 7515 and
// 7518). It names no key: the API server then tries the ones it has.
func (k *signingKey) sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding the claims of a token: %w", err)
	}
	encoding := base64.RawURLEncoding
	token := encoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + encoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(token))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return token + "." + encoding.EncodeToString(signature[:]), nil
}
