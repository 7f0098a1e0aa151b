%%% Several private servers that talk to each other over real s2s with dialback, on loopback: NAME has the vhost
%%% NAME.test and the service pubsub.NAME.test. They need neither root nor names on the machine.
%%%
%%% Each has its own name server, so that every connection from one to another goes through a cable of its own.
-module(twitter_federation).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([start/2, stock/0, stop/1, server/2, domain/1, service/1, names/1]).
-export([user/3, login/2, login/3, befriend/3, set_contact/4, server_of/2]).
-export([cable/3, cut/3, mend/3, route/3, settle/3, received/3, posts/3, await/3]).
-export([different_secrets/1]).
-export_type([name/0]).

-type config() :: [{atom(), term()}].
-type name() :: atom().

-define(CALM, #{
    s2s_access => all,
    %% Servers prove themselves by dialback.
    s2s_use_starttls => false,
    s2s_dns_timeout => 2,
    s2s_dns_retries => 1,
    %% Whoever could not be reached is tried again at once, not after minutes.
    s2s_max_retry_delay => 1
}).

%%% Servers

%% @doc For init_per_suite: servers with these names and options.
-spec start(config(), #{name() => map()}) -> config().
start(Config, Wanted) ->
    Dir = proplists:get_value(priv_dir, Config),
    Names = maps:keys(Wanted),
    Ports = maps:from_list([{Name, twitter_server:free_port()} || Name <- Names]),
    Cables = maps:from_list([{{From, To}, twitter_cable:start(maps:get(To, Ports))} || From <- Names, To <- Names, From =/= To]),
    Servers = maps:map(fun(Name, Options) -> started(Name, Options, Dir, Ports, Cables) end, Wanted),
    Federation = #{servers => maps:map(fun(_, {Server, _}) -> Server end, Servers),
                   name_servers => [NameServer || {_, NameServer} <- maps:values(Servers)],
                   cables => Cables},
    [{federation, Federation} | Config].

started(Name, Options, Dir, Ports, Cables) ->
    InetRc = filename:join([Dir, atom_to_list(Name), "inetrc"]),
    Zone = maps:from_list([{domain(To), twitter_cable:port(Cable)} || {{From, To}, Cable} <- maps:to_list(Cables), From =:= Name]),
    NameServer = twitter_names:start(Zone, InetRc),
    {ok, Server} = twitter_server:start(Options#{
        dir => Dir,
        name => atom_to_list(Name),
        hosts => [domain(Name)],
        s2s => [maps:get(Name, Ports)],
        env => [{"ERL_INETRC", unicode:characters_to_list(twitter_node:shown(Options, filename:absname(InetRc)))}],
        modules => maps:merge(#{mod_s2s_dialback => #{}}, maps:get(modules, Options, #{})),
        options => maps:merge(?CALM, maps:get(options, Options, #{}))
    }),
    {Server, NameServer}.

%% @doc Options of a server without the plugin: it is the ejabberd of that Debian whose root the environment variable
%% TWITTER_OTHER_EJABBERD names, else the installed one.
-spec stock() -> map().
stock() ->
    case os:getenv("TWITTER_OTHER_EJABBERD", "") of
        "" -> #{plugin => false};
        Root -> #{plugin => false, root => Root}
    end.

-spec stop(config()) -> ok.
stop(Config) ->
    #{servers := Servers, name_servers := NameServers, cables := Cables} = federation(Config),
    lists:foreach(fun twitter_server:stop/1, maps:values(Servers)),
    lists:foreach(fun twitter_names:stop/1, NameServers),
    lists:foreach(fun twitter_cable:stop/1, maps:values(Cables)).

federation(Config) ->
    proplists:get_value(federation, Config).

-spec names(config()) -> [name()].
names(Config) ->
    maps:keys(maps:get(servers, federation(Config))).

-spec server(config(), name()) -> twitter_server:server().
server(Config, Name) ->
    #{servers := #{Name := Server}} = federation(Config),
    Server.

-spec domain(name()) -> binary().
domain(Name) ->
    <<(atom_to_binary(Name))/binary, ".test">>.

-spec service(name()) -> binary().
service(Name) ->
    <<"pubsub.", (domain(Name))/binary>>.

%% @doc ejabberd makes its dialback secret from the cookie if it has one: servers with the same would believe each
%% other everything.
-spec different_secrets(config()) -> ok.
different_secrets(Config) ->
    Secrets = [twitter_server:call(server(Config, Name), ejabberd_config, get_shared_key, []) || Name <- names(Config)],
    ?assertEqual(length(Secrets), length(lists:usort(Secrets))).

%%% Users

%% @doc A user that nobody else has.
-spec user(config(), name(), binary()) -> twitter_client:user().
user(Config, Name, Text) ->
    twitter_users:fresh(server(Config, Name), Text).

-spec login(config(), twitter_client:user()) -> twitter_client:client().
login(Config, User) ->
    login(Config, User, #{}).

-spec login(config(), twitter_client:user(), twitter_client:options()) -> twitter_client:client().
login(Config, User, Options) ->
    twitter_users:login(server_of(Config, User), User, Options).

%% @doc The server of a user or client.
-spec server_of(config(), twitter_client:user() | twitter_client:client()) -> twitter_server:server().
server_of(Config, Who) ->
    server(Config, name_of(Config, Who)).

name_of(Config, Client) when is_pid(Client) ->
    name_of(Config, twitter_cases:user(Client));
name_of(Config, {_, Host}) ->
    [Name] = [Name || Name <- names(Config), domain(Name) =:= Host],
    Name.

%% @doc Both share presence: as their rosters say, from inside their servers.
-spec befriend(config(), twitter_client:user(), twitter_client:user()) -> ok.
befriend(Config, One, Other) ->
    ok = set_contact(Config, One, Other, both),
    ok = set_contact(Config, Other, One, both).

%% @doc Sets one side of a relation.
-spec set_contact(config(), twitter_client:user(), Contact :: twitter_client:user(), Subscription :: atom()) -> ok.
set_contact(Config, User, Contact, Subscription) ->
    twitter_users:set_contact(server_of(Config, User), User, Contact, Subscription, <<>>).

%%% What goes from one to another

-spec cable(config(), From :: name(), To :: name()) -> twitter_cable:cable().
cable(Config, From, To) ->
    maps:get({From, To}, maps:get(cables, federation(Config))).

%% @doc Neither reaches the other any more.
-spec cut(config(), name(), name()) -> ok.
cut(Config, One, Other) ->
    ok = twitter_cable:cut(cable(Config, One, Other)),
    ok = twitter_cable:cut(cable(Config, Other, One)).

-spec mend(config(), name(), name()) -> ok.
mend(Config, One, Other) ->
    ok = twitter_cable:mend(cable(Config, One, Other)),
    ok = twitter_cable:mend(cable(Config, Other, One)).

%% @doc A server sends a stanza as it is, whoever that says it is from.
-spec route(config(), name(), #xmlel{} | binary()) -> ok.
route(Config, Name, Text) when is_binary(Text) ->
    #xmlel{} = Stanza = fxml_stream:parse_element(Text),
    route(Config, Name, Stanza);
route(Config, Name, Stanza) ->
    Packet = twitter_server:call(server(Config, Name), xmpp, decode, [Stanza, ?NS_CLIENT, [ignore_els]]),
    ok = twitter_server:call(server(Config, Name), ejabberd_router, route, [Packet]).

%% @doc Returns when what a server has to tell this client of another server has come there, and has been handed to
%% his session: what it says now comes after all that it said before.
-spec settle(config(), From :: name(), twitter_client:client()) -> ok.
settle(Config, From, Client) ->
    ok = sent(Config, From),
    Mark = integer_to_binary(erlang:unique_integer([positive])),
    ok = route(Config, From, iolist_to_binary([
        <<"<message from='">>, service(From), <<"' to='">>, twitter_client:jid(Client), <<"' id='">>, Mark,
        <<"'><body>Anything else?</body></message>">>
    ])),
    #xmlel{} = twitter_client:expect(Client, fun(Stanza) -> fxml:get_tag_attr_s(<<"id">>, Stanza) =:= Mark end),
    taken(Config, name_of(Config, Client)).

%% Those that have the plugin.
sent(Config, Name) ->
    Server = server(Config, Name),
    case has_plugin(Server) of
        true ->
            ok = twitter_server:settle(Server, service(Name)),
            ok = twitter_server:call(Server, twitter_links, sync, [domain(Name)]);
        false ->
            ok
    end.

taken(Config, Name) ->
    Server = server(Config, Name),
    case has_plugin(Server) of
        true ->
            ok = twitter_server:call(Server, twitter_inbox, sync, [domain(Name)]),
            ok = twitter_server:settle(Server, service(Name));
        false ->
            ok
    end.

has_plugin(Server) ->
    twitter_server:call(Server, code, which, [mod_twitter]) =/= non_existing.

%% @doc All events that a client was sent, when a server has nothing left to tell him. Takes what was received.
-spec received(config(), From :: name(), twitter_client:client()) -> [#xmlel{}].
received(Config, From, Client) ->
    ok = settle(Config, From, Client),
    lists:filter(twitter_events:is_event(), twitter_client:sync(Client)).

%% @doc The same, as what is in them.
-spec posts(config(), From :: name(), twitter_client:client()) -> [twitter_events:entry()].
posts(Config, From, Client) ->
    lists:flatmap(fun twitter_events:entries/1, received(Config, From, Client)).

%% @doc Waits for the event that brings this post, from whichever server. Others stay where they are.
-spec await(twitter_client:client(), Id :: binary(), timeout()) -> #xmlel{}.
await(Client, Id, Timeout) ->
    twitter_client:expect(Client, twitter_events:is_event(<<"/twitter/FriendsStream">>, Id), Timeout).
