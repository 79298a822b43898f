// Package jsonl is a destination: a folder with a file of JSON Lines for each stream.
//
// Each line of charges.jsonl is one record in the order received:
//
//	{"operation":"UPSERT","as_of":"2024-01-02T03:04:05Z","event_id":"evt_1","generation":1,"data":{"id":"ch_1",…}}
//
// A later line for a key replaces the earlier ones; an operation DELETE, whose data holds at least the key, removes them.
// Members that are empty are left out. Streams of connected accounts are in a folder for each account.
//
// The states are in _state.json, with the size that each file had when its state was stored. That file is replaced in one
// step after the lines have reached the disk. Whatever a file holds beyond the size noted came from a sync that was cut
// short; the next sync takes it away and reads it again, so that every record is there once.
package jsonl
