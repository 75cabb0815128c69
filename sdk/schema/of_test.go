package schema_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk/schema"
)

type port struct {
	_        struct{} `doc:"an address to listen on"`
	Name     string   `apm:"name,label"`
	Listen   string   `apm:"listen,required" doc:"host:port"`
	Protocol string   `apm:"protocol" default:"\"http\""`
}

type credentials struct {
	User     string `apm:"user,required"`
	Password string `apm:"password,sensitive"`
}

type mount struct {
	Source string `apm:"source,required"`
	Target string `apm:"target" default:"\"/data\""`
}

type spec struct {
	Command  []string          `apm:"command,required" doc:"what to run"`
	Env      map[string]string `apm:"env,sensitive"`
	Replicas int               `apm:"replicas" default:"1"`
	Weight   *float64          `apm:"weight"`
	Small    uint8             `apm:"small"`
	Debug    bool              `apm:"debug,deprecated"`
	Stop     time.Duration     `apm:"stop" default:"\"10s\""`
	Artifact string            `apm:"artifact,path"`
	Mounts   []mount           `apm:"mounts"`
	Ports    map[string]port   `apm:"port,block" doc:"where it listens"`
	Login    *credentials      `apm:"login,block"`
	Limits   struct {
		Memory int `apm:"memory" default:"64"`
	} `apm:"limits,block"`
	Rules []mount `apm:"rule,block,required"`
	Own   string  `apm:"-"`
}

func specSchema() schema.Schema {
	mountBlock := schema.Block{Attributes: []schema.Attribute{
		{Name: "source", Type: "string", Required: true},
		{Name: "target", Type: "string", Default: `"/data"`},
	}}
	return schema.Schema{Version: 1, Block: schema.Block{
		Attributes: []schema.Attribute{
			{Name: "command", Type: "list(string)", Description: "what to run", Required: true},
			{Name: "env", Type: "map(string)", Sensitive: true},
			{Name: "replicas", Type: "number", Default: "1"},
			{Name: "weight", Type: "number"},
			{Name: "small", Type: "number"},
			{Name: "debug", Type: "bool", Deprecated: true},
			{Name: "stop", Type: "string", Default: `"10s"`},
			{Name: "artifact", Type: "string", Path: true},
			{Name: "mounts", Type: "list(object({source = string, target = optional(string)}))"},
		},
		Blocks: []schema.NestedBlock{
			{Name: "port", Nesting: schema.Map, Block: schema.Block{
				Description: "where it listens",
				Attributes: []schema.Attribute{
					{Name: "listen", Type: "string", Description: "host:port", Required: true},
					{Name: "protocol", Type: "string", Default: `"http"`},
				},
			}},
			{Name: "login", Nesting: schema.Single, MaxItems: 1, Block: schema.Block{Attributes: []schema.Attribute{
				{Name: "user", Type: "string", Required: true},
				{Name: "password", Type: "string", Sensitive: true},
			}}},
			{Name: "limits", Nesting: schema.Single, MaxItems: 1, Block: schema.Block{Attributes: []schema.Attribute{
				{Name: "memory", Type: "number", Default: "64"},
			}}},
			{Name: "rule", Nesting: schema.List, MinItems: 1, Block: mountBlock},
		},
	}}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{"value": spec{}, "pointer": &spec{}, "nil pointer": (*spec)(nil)} {
		got, err := schema.Of(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(specSchema(), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOfKeepsTheDocOfTheBlock(t *testing.T) {
	t.Parallel()
	type outer struct {
		Ports map[string]port `apm:"port,block"`
	}
	got := schema.MustOf(outer{})
	if want := "an address to listen on"; got.Block.Blocks[0].Block.Description != want {
		t.Errorf("description %q, want %q", got.Block.Blocks[0].Block.Description, want)
	}
}

type loop struct {
	Next []loop `apm:"next,block"`
}

type objectLoop struct {
	Next []objectLoop `apm:"next"`
}

func TestOfRefusesContradictions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		v    any
		want string
	}{
		"nil":       {nil, "no struct given"},
		"no struct": {7, "not a struct"},
		"no tag":    {struct{ A string }{}, "no apm tag"},
		"bad name": {struct {
			A string `apm:"a b"`
		}{}, "no identifier"},
		"no name": {struct {
			A string `apm:",required"`
		}{}, "no identifier"},
		"unknown option": {struct {
			A string `apm:"a,secret"`
		}{}, `unknown option "secret"`},
		"required, default": {struct {
			A string `apm:"a,required" default:"\"x\""`
		}{}, "drop one of them"},
		"label outside": {struct {
			A string `apm:"a,label"`
		}{}, "only in a map of blocks"},
		"label no string": {struct {
			A map[string]struct {
				N int `apm:"n,label"`
			} `apm:"a,block"`
		}{}, "a label is a string"},
		"two labels": {struct {
			A map[string]struct {
				N string `apm:"n,label"`
				M string `apm:"m,label"`
			} `apm:"a,block"`
		}{}, "one label"},
		"default of other type": {struct {
			A int `apm:"a" default:"\"x\""`
		}{}, "expected a number"},
		"default no JSON": {struct {
			A string `apm:"a" default:"x"`
		}{}, "no JSON"},
		"default no duration": {struct {
			A time.Duration `apm:"a" default:"\"10\""`
		}{}, "no duration"},
		"default too large": {struct {
			A uint8 `apm:"a" default:"256"`
		}{}, "does not fit"},
		"default of a block": {struct {
			A mount `apm:"a,block" default:"{}"`
		}{}, "default makes no sense"},
		"twice": {struct {
			A string `apm:"a"`
			B string `apm:"a"`
		}{}, "stands twice"},
		"any": {struct {
			A any `apm:"a"`
		}{}, "no type in HCL"},
		"map by int": {struct {
			A map[int]string `apm:"a"`
		}{}, "no type in HCL"},
		"chan": {struct {
			A chan int `apm:"a"`
		}{}, "no type in HCL"},
		"block of strings": {struct {
			A []string `apm:"a,block"`
		}{}, "cannot be a block"},
		"path of numbers": {struct {
			A []int `apm:"a,path"`
		}{}, "a path must be"},
		"sensitive block": {struct {
			A mount `apm:"a,block,sensitive"`
		}{}, "sensitive makes no sense"},
		"sensitive in object": {struct {
			A struct {
				B string `apm:"b,sensitive"`
			} `apm:"a"`
		}{}, "take a block"},
		"unexported": {struct {
			a string `apm:"a"`
		}{}, "not exported"},
		"itself":           {loop{}, "does it contain itself"},
		"itself as object": {objectLoop{}, "does it contain itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := schema.Of(tc.v)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestMustOfPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	schema.MustOf(struct {
		A any `apm:"a"`
	}{})
}
