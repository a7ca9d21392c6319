package cel

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	apiservercel "k8s.io/apiserver/pkg/cel"
)

// maxResult bounds the values in a result that the expression made itself.
const maxResult = 1 << 20

var errResult = fmt.Errorf("the result has more than %d values: select less", maxResult)

// toNative converts a result of CEL to the kinds of values JSON has, and times.
func toNative(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return int64(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Double:
		return float64(v), nil
	case types.Null, nil:
		return nil, nil
	}
	c := converter{left: maxResult}
	return c.convert(v)
}

// converter converts one result.
type converter struct {
	left int // values still allowed
}

func (c *converter) convert(v ref.Val) (any, error) {
	if c.left--; c.left < 0 {
		return nil, errResult
	}
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return int64(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Double:
		return float64(v), nil
	case types.Null, nil:
		return nil, nil
	case types.Uint:
		if uint64(v) > math.MaxInt64 {
			return float64(v), nil
		}
		return int64(v), nil
	case types.Timestamp:
		return v.Time, nil
	case types.Duration:
		return v.Duration, nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return c.convert(v.GetValue())
	case types.Bytes:
		return nil, errors.New("the result is bytes: convert it with string() or base64.encode()")
	case traits.Mapper:
		return c.convertMap(v)
	case traits.Lister:
		return c.convertList(v)
	}
	return convertObject(v)
}

func (c *converter) convertList(l traits.Lister) (any, error) {
	if native, ok := nativeOf(l).([]any); ok {
		return native, nil
	}
	size, _ := l.Size().(types.Int)
	if int(size) > c.left {
		return nil, errResult
	}
	out := make([]any, 0, size)
	for it := l.Iterator(); it.HasNext() == types.True; {
		v, err := c.convert(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (c *converter) convertMap(m traits.Mapper) (any, error) {
	if native, ok := nativeOf(m).(map[string]any); ok {
		return native, nil
	}
	out := make(map[string]any)
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, err := mapKey(k)
		if err != nil {
			return nil, err
		}
		if out[key], err = c.convert(m.Get(k)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// mapKey gives the key of a map as text, the only kind of key JSON has.
func mapKey(k ref.Val) (string, error) {
	switch k := k.(type) {
	case types.String:
		return string(k), nil
	case types.Int:
		return strconv.FormatInt(int64(k), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(k), 10), nil
	case types.Bool:
		return strconv.FormatBool(bool(k)), nil
	}
	return "", fmt.Errorf("the result has a map key of type %s: use string keys", k.Type().TypeName())
}

// convertObject converts the values of the Kubernetes libraries.
func convertObject(v ref.Val) (any, error) {
	switch o := v.(type) {
	case apiservercel.Quantity:
		return o.AsApproximateFloat64(), nil
	case apiservercel.Format:
		return o.Name, nil
	case *types.Type:
		return o.TypeName(), nil
	case *types.Err:
		return nil, errors.New(oneLine(o.String()))
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String(), nil
	}
	if s, ok := v.Value().(fmt.Stringer); ok {
		return s.String(), nil
	}
	return nil, fmt.Errorf("the result is of type %s: return a string, a number, a bool, a list or a map", v.Type().TypeName())
}

// The types of the lists and maps that hold a Go value as it is. Others, such as
// a concatenation of lists, would build one when asked for it.
var (
	listType = reflect.TypeOf(types.NewDynamicList(types.DefaultTypeAdapter, []any{}))
	mapType  = reflect.TypeOf(types.NewStringInterfaceMap(types.DefaultTypeAdapter, map[string]any{}))
)

// nativeOf returns the Go value behind a list or map that holds one, else nil.
func nativeOf(v ref.Val) any {
	if t := reflect.TypeOf(v); t == listType || t == mapType {
		return v.Value()
	}
	return nil
}
