//! A section of the configuration in one list: what its keys mean, what they hold, and what they set.

/// Defines a section: a table of keys that sets fields of the type after `for`.
///
/// A key is written `name: Type = field`. Its default is what the field holds in the default of that
/// type. A key below `and` has a default of its own, and code beside the section says what it sets.
macro_rules! section {
    (
        $(#[$about:meta])*
        $section:ident for $config:ty {
            $($(#[$meaning:meta])+ $key:ident: $type:ty = $($field:ident).+,)+
        }
        $(and { $($(#[$own_meaning:meta])+ $own:ident: $own_type:ty = $default:expr,)+ })?
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $section {
            $($(#[$meaning])+ pub(crate) $key: $type,)+
            $($($(#[$own_meaning])+ pub(crate) $own: $own_type,)+)?
        }

        impl Default for $section {
            fn default() -> Self {
                let config = <$config>::default();
                Self {
                    $($key: config.$($field).+.into(),)+
                    $($($own: $default,)+)?
                }
            }
        }

        impl $section {
            /// Sets the fields that the section is about.
            pub(crate) fn apply(&self, config: &mut $config) {
                $(config.$($field).+ = self.$key.into();)+
            }
        }
    };
}

pub(crate) use section;
