package store

import (
	"cmp"
)

// object is an object that the store knows.
type object struct {
	place
	uid    string // where it matters
	listed bool   // it was there before anybody looked
	other  bool   // it belongs to another shard
}

// place is where an object stands in the exposition.
type place struct {
	objectKey
	kind *Kind
}

func (o *object) compare(other *object) int {
	if c := o.objectKey.compare(other.objectKey); c != 0 || o.kind == other.kind {
		return c
	}
	return o.kind.key.compare(other.kind.key)
}

type objectKey struct {
	namespace, name string
}

func (k objectKey) compare(other objectKey) int {
	if c := cmp.Compare(k.namespace, other.namespace); c != 0 {
		return c
	}
	return cmp.Compare(k.name, other.name)
}

// identityOf returns what tells an object from every other that ever was, or at
// least from others that are.
func identityOf(o map[string]any) string {
	metadata, _ := o["metadata"].(map[string]any)
	if uid, _ := metadata["uid"].(string); uid != "" {
		return uid
	}
	key := keyOf(o)
	return key.namespace + "/" + key.name
}

// keyOf reads namespace and name; an object without them has empty ones.
func keyOf(o map[string]any) objectKey {
	metadata, _ := o["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return objectKey{namespace, name}
}
