// A stand-in for MongoDB in tests, where its image cannot be had: FerretDB speaks MongoDB's protocol and keeps the
// documents in SQLite. It has the users that the official image and the cluster's script for it would make, out of the
// same secrets, but no roles: whoever logged in may do everything.
//
//	oneoff-test-mongo [--listen ADDRESS] [--data FOLDER] [--secrets FOLDER]
//
// Called mongod, it takes no notice of options: they are MongoDB's.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/FerretDB/wire"
	"github.com/FerretDB/wire/wirebson"

	"github.com/FerretDB/FerretDB/internal/backends"
	"github.com/FerretDB/FerretDB/internal/backends/sqlite"
	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/conninfo"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler"
	"github.com/FerretDB/FerretDB/internal/handler/users"
	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
)

// user logs in at a database, with the password that a secret holds.
type user struct{ name, database, secret string }

var everybody = []user{
	{"root", "admin", "mongo-root-password"},
	{"oneoff", "power", "mongo-password"},
}

type settings struct{ listen, data, secrets string }

func main() {
	log.SetFlags(0)
	log.SetPrefix("oneoff-test-mongo: ")
	var s settings
	flag.StringVar(&s.listen, "listen", ":27017", "address to listen on")
	flag.StringVar(&s.data, "data", "/data/db", "folder for the databases, which exists")
	flag.StringVar(&s.secrets, "secrets", "/run/secrets", "folder with the files mongo-root-password and mongo-password")
	if filepath.Base(os.Args[0]) != "mongod" {
		flag.Parse()
	}
	if err := serve(s); err != nil {
		log.Fatal(err)
	}
}

// serve returns when it is told to end. Nobody is let in before the users are there.
func serve(s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	states, err := quietState()
	if err != nil {
		return err
	}
	backend, err := sqlite.NewBackend(&sqlite.NewBackendParams{
		URI: "file:" + strings.TrimSuffix(s.data, "/") + "/", L: logger, P: states, BatchSize: 100,
	})
	if err != nil {
		return fmt.Errorf("cannot keep databases in %s: %w", s.data, err)
	}
	defer backend.Close()
	if err := addUsers(ctx, backend, s.secrets); err != nil {
		return err
	}
	metrics := connmetrics.NewListenerMetrics()
	commands, err := handler.New(&handler.NewOpts{
		Backend: backend, TCPHost: s.listen, L: logger, ConnMetrics: metrics.ConnMetrics, StateProvider: states,
		EnableNewAuth: true, BatchSize: 100, CappedCleanupPercentage: 10,
	})
	if err != nil {
		return err
	}
	renameOver(commands)
	listener, err := clientconn.Listen(&clientconn.NewListenerOpts{
		TCP: s.listen, Mode: clientconn.NormalMode, Metrics: metrics, Handler: commands, Logger: logger,
	})
	if err != nil {
		return err
	}
	fmt.Printf("FerretDB 1.24.0 stands in for MongoDB on %s\n", listener.TCPAddr())
	listener.Run(ctx)
	return nil
}

// quietState keeps FerretDB from reporting home, and from saying so to each client.
func quietState() (*state.Provider, error) {
	provider, err := state.NewProvider("")
	if err != nil {
		return nil, err
	}
	return provider, provider.Update(func(s *state.State) {
		s.DisableTelemetry()
		s.TelemetryLocked = true
	})
}

// addUsers makes those who aren't there yet: a container that is started again still has its databases.
func addUsers(ctx context.Context, backend backends.Backend, secrets string) error {
	info := conninfo.New()
	info.SetBypassBackendAuth()
	ctx = conninfo.Ctx(ctx, info)
	for _, u := range everybody {
		content, err := os.ReadFile(filepath.Join(secrets, u.secret))
		if err != nil {
			return err
		}
		err = users.CreateUser(ctx, backend, &users.CreateUserParams{
			Database: u.database, Username: u.name,
			Password: password.WrapPassword(strings.TrimRight(string(content), "\r\n")),
		})
		if err != nil && !backends.ErrorCodeIs(err, backends.ErrorCodeInsertDuplicateID) {
			return fmt.Errorf("cannot add the user %s: %w", u.name, err)
		}
	}
	return nil
}

// renameOver teaches renameCollection the option dropTarget, which FerretDB lacks. Here it is two steps, in MongoDB one.
func renameOver(commands *handler.Handler) {
	command := commands.Commands()["renameCollection"]
	rename := command.Handler
	command.Handler = func(ctx context.Context, message *wire.OpMsg) (*wire.OpMsg, error) {
		document, err := message.RawSection0().Decode()
		if err != nil {
			return nil, err
		}
		if document.Get("dropTarget") != true {
			return rename(ctx, message)
		}
		document.Remove("dropTarget")
		target, _ := document.Get("to").(string)
		database, collection, _ := strings.Cut(target, ".")
		drop, err := wire.NewOpMsg(wirebson.MustDocument("drop", collection, "$db", database))
		if err != nil {
			return nil, err
		}
		if _, err = commands.Commands()["drop"].Handler(ctx, drop); err != nil {
			return nil, err
		}
		if message, err = wire.NewOpMsg(document); err != nil {
			return nil, err
		}
		return rename(ctx, message)
	}
}
