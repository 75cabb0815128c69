package image

// A Content is how an image behaves.
type Content struct {
	Args        []string
	Environment []string
}

// Standard are the images of every node's own registry, by REPOSITORY:TAG.
var Standard = map[string]Content{
	"pause:1": {Args: []string{"pause"}},

	"app:v1":           {Environment: []string{"APP_VERSION=v1"}},
	"app:v2":           {Environment: []string{"APP_VERSION=v2"}},
	"app:v3":           {Environment: []string{"APP_VERSION=v3"}},
	"app:v2-unhealthy": {Environment: []string{"APP_VERSION=v2", "APP_MODE=unhealthy"}},
	"app:v2-slow":      {Environment: []string{"APP_VERSION=v2", "APP_MODE=slow", "APP_DELAY=60s"}},
	"app:v2-crash":     {Environment: []string{"APP_VERSION=v2", "APP_MODE=crash"}},
	"app:v2-oom":       {Environment: []string{"APP_VERSION=v2", "APP_MODE=oom"}},
	"app:v2-unready":   {Environment: []string{"APP_VERSION=v2", "APP_MODE=unready"}},
	"app:v2-turns":     {Environment: []string{"APP_VERSION=v2", "APP_MODE=turns", "APP_DELAY=20s"}},
	"app:v2-done":      {Environment: []string{"APP_VERSION=v2", "APP_MODE=done"}},
}
