// Package kopf holds a kopf operator in Python whose metrics can be read.
package kopf
