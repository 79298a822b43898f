// Package config is the configuration of the Stripe source: its JSON Schema, and a parser that names every wrong field.
package config
