use std::collections::HashSet;

use serde_json::{Value, json};
use sluice_domain::validation::{Catalog, validate};
use sluice_domain::{Definition, SpurType};
use sluice_nodes::{NodeKinds, catalog};

#[test]
fn categories_have_their_kinds() {
    let categories: Vec<(&str, usize)> = catalog().iter().map(|(name, kinds)| (name, kinds.len())).collect();
    let expected = [
        ("Input/Output", 2),
        ("AI", 4),
        ("Code Execution", 1),
        ("Logic", 5),
        ("Experimental", 1),
        ("Integrations", 21),
    ];
    assert_eq!(categories, expected);
}

#[test]
fn entries_have_the_fields_of_the_contract() {
    let json = serde_json::to_value(catalog()).unwrap();
    let router = &json["Logic"][0];
    assert_eq!(router["name"], "RouterNode");
    assert_eq!(router["visual_tag"], json!({"acronym": "RN", "color": "#FF7F50"}));
    assert_eq!((&router["config"]["title"], &router["has_fixed_output"]), (&json!("Router"), &json!(false)));
    assert!(router.get("logo").is_none() && router.get("category").is_none());
    let default = &router["config"]["properties"]["route_map"]["default"];
    assert_eq!(default["route1"]["conditions"][0]["operator"], "contains");
    assert!(router["config"]["properties"].get("output_schema").is_some());
    let slack = &json["Integrations"][0];
    assert_eq!((&slack["category"], &slack["logo"]), (&json!("Slack"), &json!("/images/slack.png")));
    assert_eq!(
        (&slack["config"]["properties"]["has_fixed_output"]["default"], &slack["has_fixed_output"]),
        (&json!(true), &json!(true))
    );
    assert!(
        slack["config"]["description"].as_str().unwrap().contains("this version of Sluice can't run them")
    );
    let for_loop = &json["Experimental"][0]["config"];
    assert_eq!(for_loop["title"], "ForLoopNode");
    let iterations = &for_loop["properties"]["num_iterations"];
    assert_eq!(
        (&iterations["minimum"], &iterations["maximum"], &iterations["default"]),
        (&json!(0), &json!(1_000), &json!(1))
    );
    for kinds in json.as_object().unwrap().values() {
        for kind in kinds.as_array().unwrap() {
            for side in ["input", "output", "config"] {
                assert_eq!(kind[side]["type"], "object", "{kind}");
                assert!(kind[side]["properties"].is_object(), "{kind}");
            }
        }
    }
}

#[test]
fn every_config_field_has_a_description() {
    for (_, kinds) in catalog().iter() {
        for kind in kinds {
            for (name, property) in kind.config["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{} {name}", kind.name);
            }
        }
    }
}

#[test]
fn node_types_are_unique_and_include_the_catalog() {
    let names = NodeKinds::default().names();
    let unique: HashSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len());
    for (_, kinds) in catalog().iter() {
        assert!(kinds.iter().all(|kind| unique.contains(kind.name)));
    }
    assert!(unique.contains("MCTSNode") && unique.contains("FirecrawlCrawlNode"));
}

#[test]
fn schemas_accept_their_own_defaults() {
    for (_, kinds) in catalog().iter() {
        for kind in kinds {
            let schema = jsonschema::options().build(&kind.config).unwrap();
            let properties = kind.config["properties"].as_object().unwrap();
            let defaults =
                properties.iter().filter_map(|(k, p)| Some((k.clone(), p.get("default")?.clone())));
            let config = Value::Object(defaults.collect());
            assert!(schema.is_valid(&config), "{}: {config}", kind.name);
        }
    }
}

#[test]
fn default_definitions_are_valid() {
    for spur_type in SpurType::ALL {
        let mut definition = Definition::default_for(spur_type);
        definition.normalize();
        assert_eq!(validate(&definition, &NodeKinds::default()), [], "{spur_type:?}");
    }
}
