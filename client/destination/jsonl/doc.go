// Package jsonl is a destination: a folder with files of JSON Lines for each stream.
//
// Each line of charges.jsonl is one record in the order received:
//
//	{"operation":"UPSERT","as_of":"2024-01-02T03:04:05Z","event_id":"evt_1","generation":1,"data":{"id":"ch_1",…}}
//
// A later line for a key replaces the earlier ones; an operation DELETE, whose data holds at least the key, removes them;
// DELETE_MATCHING removes those whose members equal all in its data, the children of a parent that was read again; and {"operation":"COMPLETE","generation":2} removes all that came in generations before. Members that are empty are left
// out. Streams of connected accounts are in a folder for each account.
//
// Files may be compressed, and followed by others when they reach a size: charges.jsonl.zst, charges.0001.jsonl.zst, ….
// A commit of lines is a gzip member or zstd frame of its own, which every program reads one after the other.
//
// The states are in _state.json, with the size that each file had when its state was stored. That file is replaced in one
// step after the lines have reached the disk. Whatever a file holds beyond the size noted came from a sync that was cut
// short; the next sync takes it away and reads it again, so that every record is there once.
package jsonl
