package rule_test

import "testing"

func TestAllowDeny(t *testing.T) {
	f := func(spread, want string) {
		t.Helper()
		checkEval(t, `{name: m, type: info, spread: [{from: object.l, `+spread+`}]}`,
			`l: {app: a, app.kubernetes.io/name: b, tier: c, team/x: d, team/y: e}`, want)
	}
	f(`allow: []`, `m{app="a",app_kubernetes_io_name="b",team_x="d",team_y="e",tier="c"} 1`)
	f(`allow: ["*"]`, `m{app="a",app_kubernetes_io_name="b",team_x="d",team_y="e",tier="c"} 1`)
	f(`allow: [app]`, `m{app="a"} 1`)
	f(`allow: ["app*"]`, `m{app="a",app_kubernetes_io_name="b"} 1`) // a slash is a character
	f(`allow: ["team/?"]`, `m{team_x="d",team_y="e"} 1`)
	f(`allow: ["team[/]x"]`, `m{team_x="d"} 1`)
	f(`allow: ["*/[^x]", tier]`, `m{team_y="e",tier="c"} 1`)
	f(`allow: [t]`, `m 1`) // the whole key
	f(`deny: [app]`, `m{app_kubernetes_io_name="b",team_x="d",team_y="e",tier="c"} 1`)
	f(`deny: ["*/*"]`, `m{app="a",tier="c"} 1`)
	f(`deny: ["*"]`, `m 1`)
	f(`allow: ["t*"], deny: ["*/x"]`, `m{team_y="e",tier="c"} 1`)
	f(`allow: [app_kubernetes_io_name]`, `m 1`) // keys, not label names

	// A key that is kept out collides with none.
	checkEval(t, `{name: m, type: info, spread: [{from: object.l, deny: [a.b]}]}`, `l: {a.b: x, a-b: y}`, `m{a_b="y"} 1`)
}
