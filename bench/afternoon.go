package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	stripego "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
)

// newAfternoonWorker returns a reader written in the obvious way, as one would in an afternoon.
func newAfternoonWorker() worker { return worker{"read": handler(afternoon)} }

// iterator is the interface of stripe-go's iterators.
type iterator interface {
	Next() bool
	Current() any
	Err() error
}

func afternoon(ctx context.Context, c readJob) (measurement, error) {
	backend := stripego.GetBackendWithConfig(stripego.APIBackend, &stripego.BackendConfig{URL: stripego.String(c.APIBase)})
	api := client.New(c.Key, &stripego.Backends{API: backend, Connect: backend, Uploads: backend})
	records, bytes := 0, 0
	m, err := measured(func() error {
		began := time.Now()
		for _, list := range c.Lists {
			objects, err := iterate(ctx, api, list)
			if err != nil {
				return err
			}
			for !c.expired(began) && objects.Next() {
				encoded, err := json.Marshal(objects.Current())
				if err != nil {
					return err
				}
				records, bytes = records+1, bytes+len(encoded)
			}
			if err := objects.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && bytes == 0 {
		err = fmt.Errorf("nothing to read in %v", c.Lists)
	}
	m.Records = records
	return m, err
}

// iterate starts listing. stripe-go has a different iterator type for each endpoint.
func iterate(ctx context.Context, api *client.API, list string) (iterator, error) {
	params := stripego.ListParams{Context: ctx, Limit: stripego.Int64(perPage)}
	switch list {
	case "/v1/charges":
		return api.Charges.List(&stripego.ChargeListParams{ListParams: params}).Iter, nil
	case "/v1/customers":
		return api.Customers.List(&stripego.CustomerListParams{ListParams: params}).Iter, nil
	case "/v1/invoices":
		return api.Invoices.List(&stripego.InvoiceListParams{ListParams: params}).Iter, nil
	case "/v1/payment_intents":
		return api.PaymentIntents.List(&stripego.PaymentIntentListParams{ListParams: params}).Iter, nil
	case "/v1/balance_transactions":
		return api.BalanceTransactions.List(&stripego.BalanceTransactionListParams{ListParams: params}).Iter, nil
	}
	return nil, fmt.Errorf("no iterator for %s", list)
}
