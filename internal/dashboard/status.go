package dashboard

// conditionFamily is a family of conditions of the catalogs gateway-api and
// kuadrant, whose companions have its name and its labels.
type conditionFamily struct {
	metric     string   // such as gatewayapi_gateway_status
	generation string   // the family with the generation of the objects
	selector   string   // without braces
	identity   []column // the labels of a series beside the type
	join       string   // the labels that the object is known by
}

// reasons is a table of what is not as it should be, and why.
func (f conditionFamily) reasons(title, description string) panel {
	columns := append(append([]column{}, f.identity...), label("type", "Condition"), label("status", "Status").colored(statuses), label("reason", "Reason"))
	return table(title, description,
		f.metric+`_reason_info{`+f.selector+`,status!="True",type!~"`+negativeTypes+`"} or `+
			f.metric+`_reason_info{`+f.selector+`,status="True",type=~"`+negativeTypes+`"}`, columns...).needs("reasons")
}

// since is a table of how long conditions have been as they are.
func (f conditionFamily) since(title, description string) panel {
	columns := append(append([]column{}, f.identity...), label("type", "Condition"), number("For", unitSeconds))
	return table(title, description,
		`sort_desc(time() - (`+f.metric+`_last_transition_timestamp_seconds{`+f.selector+`} > 0))`, columns...).needs("transitions")
}

// stale is a table of conditions that are about an older generation of the object.
func (f conditionFamily) stale(title, description string) panel {
	columns := append(append([]column{}, f.identity...), label("type", "Condition"), number("Generations behind", unitNumber).aged(1, 2))
	return table(title, description, f.lag()+` > 0`, columns...).needs("generations")
}

// staleObjects counts the objects with such conditions.
func (f conditionFamily) staleObjects(description string) panel {
	by := f.join
	return warning("Stale status", description, `sum(max by (`+by+`) (`+f.lag()+` > bool 0))`).needs("generations")
}

func (f conditionFamily) lag() string {
	return f.generation + `{` + f.selector + `} - on (` + f.join + `, instance) group_right () ` + f.metric + `_observed_generation{` + f.selector + `}`
}

// negativeTypes are the conditions of the Gateway API that are bad when they are true.
const negativeTypes = "Conflicted|Detached|OverlappingTLSConfig|PartiallyInvalid|InsecureFrontendValidationMode"

// The dashboards that others lead to.
const (
	gatewayClassUID = "gatewayapigatewayclass"
	gatewayUID      = "gatewayapigateways"
	policyUID       = "gatewayapipolicies"
	kymaUID         = "kubevitals-kyma"
	conditionsUID   = "kubevitals-conditions"
	podsUID         = "kubevitals-pods"
	selfUID         = "kubevitals-self"
)

// The columns that several tables have.
var (
	namespaceColumn = label("namespace", "Namespace")
	createdColumn   = number("Created", unitDate)
	classColumn     = label("name", "GatewayClass").opens("Gateways", gatewayUID)
	gatewayColumn   = label("name", "Gateway").opens("Gateway", gatewayUID, "namespace", "namespace", "gateway", "name")
	listenerColumn  = label("listener_name", "Listener")
	versionColumn   = label("customresource_version", "Version")
	truthColumn     = number("Status", unitPlain).colored(isTrue)
)
