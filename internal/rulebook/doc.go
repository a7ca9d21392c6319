// Package rulebook brings rules from where they are kept to where they are used:
// catalogs, files and folders, and the ConfigMaps of a cluster.
//
// A [Config] says which rules there are and how they are compiled. Commands that
// read rules once call [Config.Load]; what follows them as they change keeps a
// [Book], in which a file or ConfigMap that is wrong costs the others nothing.
package rulebook
