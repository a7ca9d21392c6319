package fetch

// Parts of the package that its tests look at from outside.
const ChunkSize = chunkSize
