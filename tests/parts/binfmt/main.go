// Command binfmt registers QEMU for foreign platforms in the kernel, as the tool of the image
// tonistiigi/binfmt does: the same flags, the same answers, the same lines in binfmt_misc.
//
// It stands in for that tool because the Go module proxy does not serve its module. What the kernel
// can run is asked of BuildKit's own code, as there. The answer is JSON on stdout, remarks are on
// stderr, and a failure of one architecture is a remark: the exit code is 0.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/util/archutil"
)

const dir = "/proc/sys/fs/binfmt_misc"

// The start of an executable file of an architecture, and which of its bits count.
type magic struct{ qemu, magic, mask string }

const (
	little64 = `\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00`
	little32 = `\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00`
	most     = `\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`
)

var known = map[string]magic{
	"amd64":   {"qemu-x86_64", little64 + `\x3e\x00`, `\xff\xff\xff\xff\xff\xfe\xfe\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`},
	"arm64":   {"qemu-aarch64", little64 + `\xb7\x00`, most},
	"arm":     {"qemu-arm", little32 + `\x28\x00`, most},
	"riscv64": {"qemu-riscv64", little64 + `\xf3\x00`, most},
}

func main() {
	log.SetFlags(0)
	wanted := flag.String("install", "", "architectures to install")
	unwanted := flag.String("uninstall", "", "architectures to uninstall")
	version := flag.Bool("version", false, "display version")
	flag.Parse()
	archutil.CacheMaxAge = 0
	if *version {
		log.Print("binfmt/parts qemu/debian")
		return
	}
	if err := run(*wanted, *unwanted); err != nil {
		log.Printf("error: %+v", err)
	}
}

func run(wanted, unwanted string) error {
	if _, err := os.Stat(filepath.Join(dir, "status")); err != nil {
		if err := syscall.Mount("binfmt_misc", dir, "binfmt_misc", 0, ""); err != nil {
			return fmt.Errorf("cannot mount binfmt_misc filesystem at %s: %w", dir, err)
		}
		defer syscall.Unmount(dir, 0)
	}
	for _, name := range list(unwanted) {
		tell("uninstalling", name, uninstall(name))
	}
	names := list(wanted)
	if wanted == "all" {
		names = missing()
	}
	for _, name := range names {
		tell("installing", name, install(name))
	}
	return status()
}

func tell(doing, name string, err error) {
	if err != nil {
		log.Printf("%s: %s %v", doing, name, err)
		return
	}
	log.Printf("%s: %s OK", doing, name)
}

// The architectures of a list, which may be spelt as platforms.
func list(text string) (names []string) {
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		if platform, err := platforms.Parse(name); err == nil {
			name = platform.Architecture
		}
		names = append(names, name)
	}
	return names
}

// The architectures that are known here, come with a QEMU and do not run yet.
func missing() (names []string) {
	runs := map[string]bool{}
	for _, platform := range archutil.SupportedPlatforms(true) {
		runs[platform.Architecture] = true
	}
	for name, it := range known {
		if _, err := os.Stat("/usr/bin/" + it.qemu); err == nil && !runs[name] {
			names = append(names, name)
		}
	}
	return names
}

func install(name string) error {
	it, ok := known[name]
	if !ok {
		return fmt.Errorf("unsupported architecture: %v", name)
	}
	// C: the credentials of the file; F: the kernel keeps the interpreter open, so containers need no copy.
	flags := "CF"
	if os.Getenv("QEMU_PRESERVE_ARGV0") != "" {
		flags += "P"
	}
	line := fmt.Sprintf(":%s:M:0:%s:%s:/usr/bin/%s:%s", it.qemu, it.magic, it.mask, it.qemu, flags)
	file, err := os.OpenFile(filepath.Join(dir, "register"), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", filepath.Join(dir, "register"), err)
	}
	defer file.Close()
	if _, err := file.WriteString(line); err != nil {
		if _, there := os.Stat(filepath.Join(dir, it.qemu)); there == nil {
			return fmt.Errorf("%s already registered", it.qemu)
		}
		return fmt.Errorf("cannot register %q to %s: %w", "/usr/bin/"+it.qemu, filepath.Join(dir, "register"), err)
	}
	return nil
}

func uninstall(name string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == name || strings.HasSuffix(entry.Name(), "-"+name) || entry.Name() == known[name].qemu {
			return os.WriteFile(filepath.Join(dir, entry.Name()), []byte("-1"), 0o600)
		}
	}
	return fmt.Errorf("not found")
}

func status() error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	answer := struct {
		Supported []string `json:"supported"`
		Emulators []string `json:"emulators"`
	}{}
	for _, entry := range entries {
		if entry.Name() == "register" || entry.Name() == "status" {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(dir, entry.Name())); err == nil && strings.HasPrefix(string(text), "enabled") {
			answer.Emulators = append(answer.Emulators, entry.Name())
		}
	}
	for _, platform := range archutil.SupportedPlatforms(true) {
		answer.Supported = append(answer.Supported, platforms.FormatAll(platforms.Normalize(platform)))
	}
	text, err := json.MarshalIndent(answer, "", "  ")
	if err == nil {
		fmt.Printf("%s\n", text)
	}
	return err
}
