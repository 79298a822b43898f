// Package jsonl is a destination: a folder with files of JSON Lines for each stream.
//
// Each line of charges.jsonl is one record in the order received:
//
//	{"operation":"UPSERT","as_of":"2024-01-02T03:04:05Z","event_id":"evt_1","generation":1,"data":{"id":"ch_1",…}}
//
// A later line for a key replaces the earlier ones; an operation DELETE, whose data holds at least the key, removes them;
// DELETE_MATCHING, such as {"operation":"DELETE_MATCHING","generation":1,"data":{"invoice":"in_1"}}, removes all those of
// earlier lines whose fields equal the ones in its data, whatever their key; those that are still there follow in later
// lines; and {"operation":"COMPLETE","generation":2} removes all that came in generations before. All of this is within one
// file and those that follow it. Empty members are omitted. Streams of connected accounts are in a folder for each account.
//
// Files may be compressed, and followed by others when they reach a size: charges.jsonl.zst,
// charges.part000000001.jsonl.zst, …. Sorted by name, they are in the order in which they were written. A commit of lines is
// a gzip member or zstd frame of its own, which every program reads one after the other.
//
// The states are in _state.json, with the size that each file had when its state was stored. That file is replaced in one
// step after the lines have reached the disk. Whatever a file holds beyond the size noted came from a sync that was cut
// short; the next sync takes it away and reads it again, so that every record is there once. A stream whose files are gone,
// or are not those that its state was stored with, is read again from the beginning; a file that was changed is renamed to
// ….changed and not read any more.
package jsonl
