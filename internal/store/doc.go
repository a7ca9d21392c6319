// Package store keeps what the rules say about objects as rendered exposition,
// and hands it to scrapes as a [operator.Part].
//
// A family is a list of chunks of about 64 KiB of sample lines, sorted by
// namespace and name. A chunk is kept as a deflate segment that can stand
// anywhere in a gzip stream: a compressed scrape copies segments and compresses
// nothing. When an object changes, its lines wait beside the chunks until the
// next scrape, which makes only the chunks anew that hold changed lines. An
// object whose lines stay the same changes nothing.
//
// Of an object the store keeps its namespace and name, and for each family the
// hash and length of its lines, not the object.
package store
