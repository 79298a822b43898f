// Package jsonl is a destination: a directory with JSON Lines files for each stream.
//
// Each line of charges.jsonl is one record, in the order received:
//
//	{"operation":"UPSERT","as_of":"2024-01-02T03:04:05Z","event_id":"evt_1","generation":1,"data":{"id":"ch_1",…}}
//
// A later line for a key replaces earlier ones. These operations remove lines, within a file and the files that follow it:
//
//   - DELETE, whose data has at least the key, removes the earlier lines of that key.
//   - DELETE_MATCHING, such as {"operation":"DELETE_MATCHING","generation":1,"data":{"invoice":"in_1"}}, removes all earlier lines
//     whose fields equal those in its data, whatever their key. Objects that still exist follow in later lines.
//   - {"operation":"COMPLETE","generation":2} removes all lines of earlier generations.
//
// Empty members are omitted. Streams of connected accounts are in a directory for each account.
//
// Files may be compressed, and rotated when they reach a given size: charges.jsonl.zst, charges.part000000001.jsonl.zst
// and so on. Their names sort in the order of writing. Each commit is a separate gzip member or zstd frame. All
// decompressors read a sequence of these as one file.
//
// The states are in _state.json, with the size of each file when its state was stored. This file is replaced atomically
// after the lines have been flushed to disk. Lines beyond the recorded size came from an interrupted sync. The next sync
// removes them and reads them again, so every record is there once. If files of a stream are missing, or aren't those that
// its state was stored with, the stream is re-read from the beginning. A changed file is renamed to ….changed and no
// longer used.
package jsonl
