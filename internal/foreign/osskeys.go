package foreign

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/internal/securefile"
)

// ossProfile returns the key of a profile of ossutil.
func ossProfile(c Credentials, log *slog.Logger) (keys, error) {
	path := ossutilFile()
	return watch(&securefile.Document[keys]{Storage: securefile.NewFile(path, maxKeyFile), Parse: func(data []byte) (*keys, error) {
		k, ok := ossutilKey(data, c.value)
		if !ok {
			return nil, fmt.Errorf("credentials: %s has no profile %s with accessKeyID and accessKeySecret", path, c.value)
		}
		found := fixed(k)
		return &found, nil
	}}, c, log)
}

// ossChain returns the key of OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, of
// ossutil's default profile, or of the role of the machine, an ECS instance.
func ossChain(c Credentials, log *slog.Logger) (keys, error) {
	id, secret := os.Getenv("OSS_ACCESS_KEY_ID"), os.Getenv("OSS_ACCESS_KEY_SECRET")
	if (id == "") != (secret == "") {
		return nil, errors.New("credentials: set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, both or neither")
	}
	if id != "" {
		return fixed(Key{ID: id, Secret: secret, Token: os.Getenv("OSS_SESSION_TOKEN")}), nil
	}
	if _, err := os.Stat(ossutilFile()); err == nil {
		return ossProfile(Profile("default"), log)
	}
	role := credentials.NewEcsRoleCredentialsProvider()
	return func(ctx context.Context) (Key, error) {
		k, err := role.GetCredentials(ctx)
		if err != nil {
			return Key{}, fmt.Errorf("no OSS_ACCESS_KEY_ID, no %s, and the machine has no role: %w", ossutilFile(), err)
		}
		found := Key{ID: k.AccessKeyID, Secret: k.AccessKeySecret, Token: k.SecurityToken}
		if k.Expires != nil {
			found.Expires = *k.Expires
		}
		return found, nil
	}, nil
}

func ossutilFile() string {
	if path := os.Getenv("OSSUTIL_CONFIG_FILE"); path != "" {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".ossutilconfig"
	}
	return filepath.Join(home, ".ossutilconfig")
}

// ossutilKey finds a profile in the file of ossutil: a section [NAME], or
// [profile NAME], of lines such as accessKeyID = ... The default profile may be
// called [Credentials], as version 1 did.
//
// Source: documentation of ossutil 2.0, configuration file.
func ossutilKey(data []byte, profile string) (k Key, ok bool) {
	inside := false
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if section, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSpace(strings.TrimSuffix(section, "]"))
			section = strings.TrimSpace(strings.TrimPrefix(section, "profile "))
			inside = section == profile || profile == "default" && section == "Credentials"
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !inside || !found || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "accesskeyid", "access-key-id":
			k.ID = value
		case "accesskeysecret", "access-key-secret":
			k.Secret = value
		case "ststoken", "sts-token":
			k.Token = value
		}
	}
	return k, k.ID != "" && k.Secret != ""
}
