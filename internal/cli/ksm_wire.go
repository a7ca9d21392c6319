package cli

import "errors"

// unwired refuses the flags of kube-state-metrics that nothing obeys yet.
func (f *stateFlags) unwired() error {
	switch {
	case f.rules.keep != nil:
		return errors.New("--metric-allowlist and --metric-denylist are not available yet")
	case len(f.namespaces)+len(f.namespacesDenylist) > 0:
		return errors.New("--namespaces and --namespaces-denylist are not available yet")
	case f.apiserverCache:
		return errors.New("--use-apiserver-cache is not available yet")
	}
	return nil
}
