package disk

import "io/fs"

// Links returns 1: on Windows, fs.FileInfo doesn't include the number of hard links.
func Links(fs.FileInfo) int { return 1 }
