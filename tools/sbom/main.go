// Command sbom lists the modules of a Go binary, as recorded by the linker, with their versions and licenses. It writes
// SPDX 2.3 to stdout and a table to stderr, and fails if a license is not allowed.
//
//	go -C tools run ./sbom ../bin/stripe-connector
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	// The classifier recognizes license texts. We use it directly because the programs based on it don't build with current
	// module versions.
	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

// allowed lists the SPDX identifiers of the licenses allowed for code in our binaries.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unlicense"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read %s: %w", binary, err)
	}
	known, err := assets.DefaultClassifier()
	if err != nil {
		return err
	}
	document := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: info.Main.Path,
		DocumentNamespace: "https://" + info.Main.Path + "/sbom/" + info.Main.Version,
		CreationInfo: &spdx.CreationInfo{ // constant, so that the output depends only on the binary
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "sbom"}}, Created: "1970-01-01T00:00:00Z",
		},
	}
	add(document, &info.Main, "Apache-2.0", "DESCRIBES")
	add(document, &debug.Module{Path: "std", Version: info.GoVersion}, "BSD-3-Clause", "DEPENDS_ON")
	var wrong []error
	for _, module := range info.Deps {
		if module.Replace != nil && strings.HasPrefix(module.Replace.Path, ".") { // a directory of this repository
			add(document, module, "Apache-2.0", "DEPENDS_ON")
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		licenses, err := licensesOf(known, module)
		wrong = append(wrong, err)
		for _, license := range licenses {
			if !slices.Contains(allowed, license) {
				wrong = append(wrong, fmt.Errorf("%s has the license %s, which is not allowed: choose a module under one of %s", module.Path, license, strings.Join(allowed, ", ")))
			}
		}
		add(document, module, strings.Join(licenses, " AND "), "DEPENDS_ON")
		fmt.Fprintf(os.Stderr, "%-50s %-40s %s\n", module.Path, module.Version, strings.Join(licenses, ", "))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return spdxjson.Write(document, os.Stdout, spdxjson.Indent("  "))
}

// thirdParty matches the names of files with the licenses of other modules. Those that are linked are listed anyway.
var thirdParty = regexp.MustCompile(`(?i)3rd|third`)

// licenseFile matches the names of license files.
var licenseFile = regexp.MustCompile(`(?i)^(licen[sc]e|unlicense|copying)([-.].*)?$`)

// licensesOf returns the licenses in a module's root directory.
func licensesOf(known *classifier.Classifier, module *debug.Module) ([]string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", module.Path+"@"+module.Version).Output()
	var downloaded struct{ Dir string }
	if err = errors.Join(err, json.Unmarshal(out, &downloaded)); err != nil {
		return nil, fmt.Errorf("download %s: %w", module.Path, err)
	}
	entries, err := os.ReadDir(downloaded.Dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		if entry.IsDir() || !licenseFile.MatchString(entry.Name()) || thirdParty.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(downloaded.Dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		for _, match := range known.Match(text).Matches {
			if match.MatchType == "License" && !slices.Contains(found, match.Name) {
				found = append(found, match.Name)
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no known license", module.Path)
	}
	slices.Sort(found)
	return found, nil
}

var notInID = regexp.MustCompile(`[^0-9A-Za-z.-]+`)

// add adds a package for a module to the document. The relation of the first package is to the document, and that of all
// others is to the first package.
func add(document *spdx.Document, module *debug.Module, license, relation string) {
	id := common.ElementID("Package-" + notInID.ReplaceAllString(module.Path, "-"))
	from := "DOCUMENT"
	if len(document.Packages) > 0 {
		from = string(document.Packages[0].PackageSPDXIdentifier)
	}
	document.Packages = append(document.Packages, &spdx.Package{
		PackageName: module.Path, PackageSPDXIdentifier: id, PackageVersion: module.Version, PackageComment: module.Sum,
		PackageDownloadLocation: "NOASSERTION", PackageCopyrightText: "NOASSERTION",
		PackageLicenseConcluded: license, PackageLicenseDeclared: license,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL,
			Locator: "pkg:golang/" + module.Path + "@" + module.Version,
		}},
	})
	document.Relationships = append(document.Relationships, &spdx.Relationship{
		RefA: common.MakeDocElementID("", from), RefB: common.MakeDocElementID("", string(id)), Relationship: relation,
	})
}
