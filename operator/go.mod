module github.com/kubevitals/kubevitals/operator

go 1.26
