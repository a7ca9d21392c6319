package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory lets Go collect garbage harder before the cgroup's limit is
// reached. root is where the file system begins.
func (f *ksmFlags) limitMemory(root string) error {
	if f.memoryLimitRatio <= 0 || f.memoryLimitRatio > 1 {
		return fmt.Errorf("--auto-gomemlimit-ratio %v: expected more than 0 and at most 1", f.memoryLimitRatio)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	limit, err := cgroupLimit(root)
	if err != nil {
		f.warn("auto-gomemlimit", "no effect: %v", err)
		return nil
	}
	debug.SetMemoryLimit(int64(float64(limit) * f.memoryLimitRatio))
	return nil
}

// cgroupLimit returns the memory limit of the container, of version 2 or 1 of
// cgroups.
func cgroupLimit(root string) (int64, error) {
	for _, file := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err == nil && limit > 0 && limit < 1<<62 { // version 1 says "none" with a number that large
			return limit, nil
		}
	}
	return 0, errors.New("there is no memory limit of a cgroup")
}
