//go:build !service

package main

import "github.com/spf13/cobra"

const rootExample = `  stripe-connector demo
  STRIPE_API_KEY=rk_live_… stripe-connector sync --to sqlite:stripe.db
  stripe-connector init && stripe-connector run
  stripe-connector serve --listen 127.0.0.1:50051`

// withoutDatabases is what help says of a build with the tag service.
const withoutDatabases = ""

// databaseCommands gives the commands that need a database. A build with the tag service has none of them: it is for the
// image, which is pulled by every node of a cluster and uses no database.
func (a *app) databaseCommands() []*cobra.Command {
	return []*cobra.Command{a.initialize(), a.runPipelines(), a.runs(), a.logs(), a.loadingReport(), a.demo()}
}
