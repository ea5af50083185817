package foreign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/stocktake/stocktake/internal/securefile"
)

// awsKeys returns the keys that AWS's own tools use: those of a profile, or of the
// first source that has any, of variables, files and the machine. The SDK renews
// keys that expire.
func awsKeys(c Credentials, log *slog.Logger) (keys, error) {
	if env, ok := awsVariables(); ok && c.source == fromChain && env.Credentials.HasKeys() {
		return fixed(Key{ID: env.Credentials.AccessKeyID, Secret: env.Credentials.SecretAccessKey, Token: env.Credentials.SessionToken}), nil
	}
	return watch(&securefile.Document[keys]{
		Storage: new(securefile.Memory), // empty: the keys are in files of their own
		Also:    awsFiles(),
		Parse: func([]byte) (*keys, error) {
			cfg, err := awsConfig(c)
			if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
				return nil, fmt.Errorf("credentials: no profile %q in %s", missing.Profile, strings.Join(awsFiles(), " or "))
			}
			if err != nil {
				return nil, fmt.Errorf("credentials: %w", err)
			}
			found := keys(func(ctx context.Context) (Key, error) {
				k, err := cfg.Credentials.Retrieve(ctx)
				if err != nil {
					return Key{}, err
				}
				return Key{ID: k.AccessKeyID, Secret: k.SecretAccessKey, Token: k.SessionToken, Expires: k.Expires}, nil
			})
			return &found, nil
		},
	}, c, log)
}

// awsVariables returns what variables say, which comes before what files say. Reading
// them alone is faster than awsConfig, which also parses certificates. ok is false if a
// variable names a profile or is invalid: then awsConfig says whether that is an error.
func awsVariables() (env config.EnvConfig, ok bool) {
	env, err := config.NewEnvConfig()
	return env, err == nil && env.SharedConfigProfile == ""
}

// awsConfig reads variables and files. It contacts no other machine.
func awsConfig(c Credentials) (aws.Config, error) {
	// The SDK's errors contain what it would log.
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if c.source == fromProfile {
		opts = append(opts, config.WithSharedConfigProfile(c.value))
	}
	return config.LoadDefaultConfig(context.Background(), opts...)
}

// awsFiles returns the paths of the files that AWS's tools read.
func awsFiles() []string {
	var files []string
	home, homeErr := os.UserHomeDir()
	for _, f := range []struct{ variable, name string }{{"AWS_SHARED_CREDENTIALS_FILE", "credentials"}, {"AWS_CONFIG_FILE", "config"}} {
		if path := os.Getenv(f.variable); path != "" {
			files = append(files, path)
		} else if homeErr == nil {
			files = append(files, filepath.Join(home, ".aws", f.name))
		}
	}
	return files
}

// DefaultEndpoint returns the URL that the official tools are configured to use
// instead of the public service; empty if none is configured.
func DefaultEndpoint(kind Kind, c Credentials) string {
	if kind == OSS {
		return os.Getenv("OSS_ENDPOINT")
	}
	if endpoint := os.Getenv("AWS_ENDPOINT_URL_S3"); endpoint != "" {
		return endpoint
	}
	cfg, err := awsConfig(c)
	if err != nil {
		return ""
	}
	return aws.ToString(cfg.BaseEndpoint)
}

// DefaultRegion returns the region that the official tools are configured to use;
// empty if none is configured. For OSS it is OSS_REGION.
func DefaultRegion(kind Kind, c Credentials) string {
	if kind == OSS {
		return os.Getenv("OSS_REGION")
	}
	if env, ok := awsVariables(); ok && env.Region != "" {
		return env.Region
	}
	cfg, err := awsConfig(c)
	if err != nil {
		return ""
	}
	return cfg.Region
}
