package cloudformation

// Source: Template Reference, AWS Systems Manager (checked 2026-12-01).

type ssmParameter struct {
	AllowedPattern string
	DataType       string
	Description    string
	Name           string
	Tags           map[string]string
	Tier           string
	Type           string `cfn:"required"`
	Value          string `cfn:"required"`
}

func (p *ssmParameter) put(c *call, name string, overwrite bool) error {
	in := map[string]any{"Name": name, "Type": p.Type, "Value": p.Value, "Overwrite": overwrite, "Description": p.Description, "AllowedPattern": p.AllowedPattern}
	optional(in, "DataType", p.DataType)
	optional(in, "Tier", p.Tier)
	if !overwrite && len(p.Tags) > 0 {
		in["Tags"] = tagsOf(p.Tags)
	}
	return c.invoke("ssm", "PutParameter", in, nil)
}

func tagsOf(m map[string]string) (tags []tag) {
	for _, k := range missing(m, map[string]string{}) {
		tags = append(tags, tag{k, m[k]})
	}
	return tags
}

func ssmTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::SSM::Parameter": define(resourceType{replacing: []string{"Name"}, tags: tagMap},
			func(c *call, p *ssmParameter) (string, map[string]any, error) {
				name := "CFN-" + p.Type + "-" + c.generated(200)
				if p.Name != "" {
					name = p.Name
				}
				return made(name, map[string]any{"Type": p.Type, "Value": p.Value}, p.put(c, name, false))
			},
			func(c *call, name string, p, old *ssmParameter) (map[string]any, error) {
				if err := p.put(c, name, true); err != nil {
					return nil, err
				}
				id := map[string]any{"ResourceType": "Parameter", "ResourceId": name}
				if gone := missing(old.Tags, p.Tags); len(gone) > 0 {
					id["TagKeys"] = gone
					if err := c.invoke("ssm", "RemoveTagsFromResource", id, nil); err != nil {
						return nil, err
					}
					delete(id, "TagKeys")
				}
				if len(p.Tags) > 0 {
					id["Tags"] = tagsOf(p.Tags)
					if err := c.invoke("ssm", "AddTagsToResource", id, nil); err != nil {
						return nil, err
					}
				}
				return map[string]any{"Type": p.Type, "Value": p.Value}, nil
			},
			func(c *call, name string, _ *ssmParameter) error {
				return c.invoke("ssm", "DeleteParameter", map[string]any{"Name": name}, nil)
			}),
	}
}
