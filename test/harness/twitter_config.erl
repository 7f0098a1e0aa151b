%%% The ejabberd.yml of a private server: a small, ordinary configuration, which the
%%% options of twitter_server vary.
-module(twitter_config).

-export([text/2]).

%% @doc The configuration file of a server that listens on `Port'.
-spec text(twitter_server:options(), inet:port_number()) -> iodata().
text(#{hosts := Hosts} = Options, Port) ->
    Database = maps:get(database, Options, mnesia),
    Listener = maps:merge(
        #{
            port => Port,
            ip => <<"127.0.0.1">>,
            module => ejabberd_c2s,
            access => all,
            shaper => none
        },
        maps:get(listener, Options, #{})
    ),
    Top = #{
        hosts => Hosts,
        listen => [
            Listener
            | [component(Other) || Other <- maps:get(components, Options, [])] ++
                [other_server(Other) || Other <- maps:get(s2s, Options, [])]
        ],
        loglevel => info,
        %% Hashing passwords would be most of what a test waits for.
        auth_password_format => plain,
        registration_timeout => infinity,
        modules => modules(Options)
    },
    Stored = twitter_database:options(Database, Hosts),
    All = maps:map(
        fun(Key, Value) -> authenticate(Key, Value, Stored) end,
        maps:merge_with(fun over/3, maps:merge(Top, Stored), maps:get(options, Options, #{}))
    ),
    [
        [twitter_yaml:encode(Key), ": ", twitter_yaml:encode(Value), $\n]
     || {Key, Value} <- maps:to_list(All)
    ].

%% What a suite says counts, vhost by vhost.
over(host_config, Ours, Theirs) ->
    maps:merge_with(fun(_Host, Our, Their) -> maps:merge(Our, Their) end, Ours, Theirs);
over(_Key, _Ours, Theirs) ->
    Theirs.

%% A suite that wants more than accounts of the server's own calls these `mnesia', wherever they are.
authenticate(auth_method, Methods, #{auth_method := [Own]}) when is_list(Methods) ->
    [case Method of mnesia -> Own; _ -> Method end || Method <- Methods];
authenticate(host_config, Hosts, Stored) ->
    maps:map(fun(_Host, Options) -> maps:map(fun(Key, Value) -> authenticate(Key, Value, Stored) end, Options) end, Hosts);
authenticate(_Key, Value, _Stored) ->
    Value.

%% Where components of any domain log in (XEP-0114): see twitter_elsewhere.
component(Port) ->
    #{port => Port, ip => <<"127.0.0.1">>, module => ejabberd_service, password => <<"secret">>}.

%% Where other servers connect: see twitter_federation.
other_server(Port) ->
    #{port => Port, ip => <<"127.0.0.1">>, module => ejabberd_s2s_in}.

modules(Options) ->
    Stock = #{
        mod_admin_extra => #{},
        mod_blocking => #{},
        mod_caps => #{},
        mod_disco => #{},
        mod_ping => #{},
        mod_privacy => #{},
        mod_private => #{},
        mod_register => #{ip_access => all},
        mod_roster => #{},
        mod_pubsub => pubsub(Options),
        mod_twitter => twitter(Options)
    },
    present(maps:merge(Stock, maps:get(modules, Options, #{}))).

present(Options) ->
    maps:filter(fun(_Name, Value) -> Value =/= absent end, Options).

pubsub(Options) ->
    Nodetree =
        case has_plugin(Options) of
            true -> twitter;
            false -> tree
        end,
    Defaults = #{plugins => [<<"flat">>, <<"pep">>], nodetree => Nodetree, access_createnode => all},
    maps:merge(Defaults, maps:get(pubsub, Options, #{})).

twitter(Options) ->
    case has_plugin(Options) of
        true -> fast(maps:get(twitter, Options, #{}));
        false -> maps:get(twitter, Options, absent)
    end.

%% Tests post faster than people, count what comes, and look at when something is read.
fast(absent) -> absent;
fast(Options) -> present(maps:merge(#{post_rate => unlimited, catch_up => 0, warm_up => false}, Options)).

has_plugin(Options) ->
    maps:get(plugin, Options, true).
