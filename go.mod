module github.com/stripe-connector/stripe-connector

go 1.26
