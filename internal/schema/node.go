package schema

// node is what one place of a document says of a value. Others, in parts, may say
// more: [view] puts them together.
type node struct {
	fields  []field // sorted by name
	parts   []*node // what $ref or allOf lead to; they may lead back here
	element *node   // of a list's items, or of the values of an object's other fields
	enum    []string
	max     int32 // 0: not known
	kind    kind
	// open is true when a value may have fields that are not listed.
	open bool
}

type field struct {
	name string
	node *node
}

// kind is a type as JSON schema has it.
type kind uint8

const (
	kindAny kind = iota
	kindObject
	kindList
	kindString
	kindInteger
	kindNumber
	kindBoolean
)

var kinds = map[string]kind{
	"object": kindObject, "array": kindList, "string": kindString,
	"integer": kindInteger, "number": kindNumber, "boolean": kindBoolean,
}

var kindNames = [...]string{
	kindAny: "", kindObject: "object", kindList: "list", kindString: "string",
	kindInteger: "integer", kindNumber: "number", kindBoolean: "boolean",
}

// object returns the node of a whole object, or of one embedded in another: the
// fields that each object has, and those of its own schema.
func object(own *node) *node {
	return &node{kind: kindObject, fields: objectFields, parts: []*node{own}}
}

// objectFields are the fields of each object, whatever its schema says: the API
// server takes no schema for metadata.
var objectFields = func() []field {
	text, number := &node{kind: kindString}, &node{kind: kindInteger}
	flag, raw := &node{kind: kindBoolean}, &node{kind: kindObject, open: true}
	list := func(element *node) *node { return &node{kind: kindList, element: element} }
	texts := &node{kind: kindObject, element: text}
	owner := &node{kind: kindObject, fields: []field{
		{"apiVersion", text}, {"blockOwnerDeletion", flag}, {"controller", flag}, {"kind", text}, {"name", text}, {"uid", text},
	}}
	manager := &node{kind: kindObject, fields: []field{
		{"apiVersion", text}, {"fieldsType", text}, {"fieldsV1", raw}, {"manager", text}, {"operation", text},
		{"subresource", text}, {"time", text},
	}}
	metadata := &node{kind: kindObject, fields: []field{
		{"annotations", texts}, {"creationTimestamp", text}, {"deletionGracePeriodSeconds", number},
		{"deletionTimestamp", text}, {"finalizers", list(text)}, {"generateName", text}, {"generation", number},
		{"labels", texts}, {"managedFields", list(manager)}, {"name", text}, {"namespace", text},
		{"ownerReferences", list(owner)}, {"resourceVersion", text}, {"selfLink", text}, {"uid", text},
	}}
	return []field{{"apiVersion", text}, {"kind", text}, {"metadata", metadata}}
}()
