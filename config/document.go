package config

import (
	"time"
	"unique"
)

// The documents as authors wrote them: nothing is inherited yet, and what was
// left out is nil or empty. They are immutable once read, and shared between
// the cache and snapshots. Names of keys are those of the YAML.

type document struct {
	Line     int // of the file, where the document begins
	Task     *taskDocument
	Webhook  *webhookDocument
	Defaults *defaultsDocument
}

// intern makes what many tasks say alike one string in memory.
func (d *document) intern() {
	one := func(texts ...*string) {
		for _, t := range texts {
			if *t != "" {
				*t = unique.Make(*t).Value()
			}
		}
	}
	if t := d.Task; t != nil {
		one(&t.Language, (*string)(&t.CatchUp), (*string)(&t.Overlap))
		for i := range t.Labels {
			one(&t.Labels[i].Key, &t.Labels[i].Value)
		}
		for i := range t.Schedule {
			one(&t.Schedule[i].Cron, &t.Schedule[i].Timezone)
		}
		for i := range t.Env {
			one(&t.Env[i].Name, &t.Env[i].Value)
		}
		if t.Notify != nil {
			for i := range t.Notify.List {
				one(&t.Notify.List[i].Webhook)
			}
		}
	}
}

type taskDocument struct {
	Name        string             `yaml:"name"`
	ID          string             `yaml:"id"`
	Description string             `yaml:"description"`
	Labels      Labels             `yaml:"labels"`
	Enabled     *bool              `yaml:"enabled"`
	Schedule    []scheduleDocument `yaml:"schedule"`
	CatchUp     CatchUp            `yaml:"catchUp"`
	Overlap     Overlap            `yaml:"overlap"`
	Timeout     time.Duration      `yaml:"timeout"`
	Retry       *retryDocument     `yaml:"retry"`
	Language    string             `yaml:"language"`
	Interpreter string             `yaml:"interpreter"`
	File        string             `yaml:"file"`
	Script      string             `yaml:"script"`
	Args        []string           `yaml:"args"`
	Env         []EnvVar           `yaml:"env"`
	Notify      *notifyDocument    `yaml:"notify"`
	Retention   *retentionDocument `yaml:"retention"`
}

type scheduleDocument struct {
	Cron     string        `yaml:"cron"`
	Timezone string        `yaml:"timezone"`
	Jitter   time.Duration `yaml:"jitter"`
}

type retryDocument struct {
	Attempts int           `yaml:"attempts"`
	Delay    time.Duration `yaml:"delay"`
}

// A notifyDocument tells a list that is empty from none.
type notifyDocument struct {
	List []Notify
}

type retentionDocument struct {
	Runs int           `yaml:"runs"`
	Age  time.Duration `yaml:"age"`
}

type webhookDocument struct {
	Name     string   `yaml:"name"`
	URL      string   `yaml:"url"`
	Channel  string   `yaml:"channel"`
	Username string   `yaml:"username"`
	Icon     string   `yaml:"icon"`
	Allow    []string `yaml:"allow"`
}

type defaultsDocument struct {
	Timezone  string             `yaml:"timezone"`
	Timeout   time.Duration      `yaml:"timeout"`
	CatchUp   CatchUp            `yaml:"catchUp"`
	Overlap   Overlap            `yaml:"overlap"`
	Retry     *retryDocument     `yaml:"retry"`
	Env       []EnvVar           `yaml:"env"`
	Notify    *notifyDocument    `yaml:"notify"`
	Retention *retentionDocument `yaml:"retention"`
	Sync      syncDocument       `yaml:"sync"`
}

type syncDocument struct {
	Notify []string `yaml:"notify"`
}
