module github.com/kubevitals/kubevitals/operator

go 1.25.0
