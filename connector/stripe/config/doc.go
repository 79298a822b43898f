// Package config defines the configuration of the Stripe source: its JSON Schema, and a parser that names every invalid field.
package config
