%%% @doc A microblog for every user of a vhost: the module that an admin adds beside
%%% `mod_pubsub: {nodetree: twitter}'. It starts the service; {@link twitter_service} runs it.
-module(mod_twitter).
-behaviour(gen_mod).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("ejabberd/include/translate.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([start/2, stop/1, reload/3, depends/2, mod_opt_type/1, mod_options/1, mod_doc/0]).
-export([remove_user/2, pubsub_delete_node/4]).

%% Of memory, in bytes: a tebibyte.
-define(MAX_SIZE, 1 bsl 40).
%% Posts that are sent to one who comes online.
-define(MAX_CATCH_UP, 1000).
%% Posts in a minute, or at once.
-define(MAX_RATE, 1_000_000).

%% @doc Starts the processes of the vhost. What the service lacks to be of use it says in the log:
%% a wrong setting here must not keep the server from starting.
-spec start(ServerHost :: binary(), gen_mod:opts()) -> {ok, pid()} | {error, term()}.
start(ServerHost, _Opts) ->
    ok = load_all(),
    %% Readers may live in any vhost.
    lists:foreach(fun twitter_c2s:attend/1, ejabberd_option:hosts()),
    ok = twitter_peer:new(),
    case supervisor:start_child(ejabberd_gen_mod_sup, twitter_sup:child_spec(ServerHost)) of
        {ok, Pid} ->
            lists:foreach(fun({Module, Hook, Function, Priority}) ->
                                  ejabberd_hooks:add(Hook, ServerHost, Module, Function, Priority)
                          end, hooks()),
            ok = twitter_commands:register(),
            ok = twitter_words:learn(),
            {ok, Pid};
        {error, Reason} ->
            ok = withdraw(ServerHost),
            {error, Reason}
    end.

%% Nothing is loaded later: an upgrade puts the files of the next version in the place of these while this one
%% runs. What cannot be loaded is told by whoever needs it.
load_all() ->
    Beams = filelib:wildcard("*twitter*.beam", filename:dirname(code:which(?MODULE))),
    _ = code:ensure_modules_loaded([list_to_atom(filename:rootname(Beam)) || Beam <- Beams]),
    ok.

-spec stop(ServerHost :: binary()) -> ok | {error, term()}.
stop(ServerHost) ->
    ok = twitter_sessions:stops(ServerHost),
    Result = gen_mod:stop_child(twitter_sup:name(ServerHost)),
    lists:foreach(fun({Module, Hook, Function, Priority}) ->
                          ejabberd_hooks:delete(Hook, ServerHost, Module, Function, Priority)
                  end, hooks()),
    %% The workers have sent what they had; sessions need a hook to take it.
    twitter_flow:drain(ServerHost),
    twitter_flow:delete(ServerHost),
    twitter_stats:delete(ServerHost),
    ok = twitter_unread:end_run(ServerHost),
    ok = withdraw(ServerHost),
    Result.

%% As long as the plugin runs in one vhost, sessions of all may get its events.
withdraw(ServerHost) ->
    case [Host || Host <- ejabberd_option:hosts(), Host =/= ServerHost, gen_mod:is_loaded(Host, ?MODULE)] of
        [] ->
            ok = twitter_commands:unregister(),
            ok = twitter_words:forget(),
            ok = twitter_peer:delete(),
            twitter_c2s:withdraw();
        [_ | _] -> ok
    end.

%% @doc Options are read where they are used, but for the sizes of what is there already.
-spec reload(ServerHost :: binary(), New :: gen_mod:opts(), Old :: gen_mod:opts()) -> ok.
reload(ServerHost, _New, _Old) ->
    twitter_service:options_changed(ServerHost).

%% @doc A soft dependency: it makes mod_pubsub start first, and a server without it still starts.
-spec depends(ServerHost :: binary(), gen_mod:opts()) -> [{module(), hard | soft}].
depends(_ServerHost, _Opts) ->
    [{mod_private, soft}, {mod_pubsub, soft}, {mod_roster, soft}].

hooks() ->
    [%% Before mod_pubsub, which empties the user's nodes but leaves them behind.
     {?MODULE, remove_user, remove_user, 40},
     {twitter_links, s2s_receive_packet, heard, 50},
     {?MODULE, pubsub_delete_node, pubsub_delete_node, 50}].

%% @doc Hook: an account was deleted; its posts go with it, and what it was allowed to see of other servers.
-spec remove_user(User :: binary(), Server :: binary()) -> ok.
remove_user(User, Server) ->
    #jid{lserver = ServerHost} = Author = jid:make(User, Server),
    Name = jid:encode(Author),
    Domains = other_servers(Author),
    lists:foreach(
      fun(#{host := Host} = Service) ->
              Delete = fun() ->
                               ok = twitter_fanout:forget(Service, Name),
                               case twitter_store:delete_node(Host, Author) of
                                   ok -> twitter_move:forget(Service, Author);
                                   {error, Error} -> {error, Error}
                               end
                       end,
              try
                  ok = twitter_heard:forget_reader(Service, Name),
                  twitter_writer:run(Service, Name, Delete)
              of
                  ok -> twitter_abroad:owe_purge(ServerHost, Host, Name, Domains);
                  {error, Error} -> not_deleted(Name, Host, xmpp:format_stanza_error(Error))
              catch
                  throw:{refused, Error} -> not_deleted(Name, Host, xmpp:format_stanza_error(Error));
                  exit:{aborted, Reason} -> not_deleted(Name, Host, io_lib:format("~tp", [Reason]))
              end
      end, twitter_service:all(ServerHost)).

%% A roster that cannot be read keeps nobody's account.
other_servers(Author) ->
    try
        twitter_roster:domains(Author)
    catch
        exit:_ -> []
    end.

not_deleted(Name, Host, Reason) ->
    ?ERROR_MSG("The posts of ~ts at ~ts are left, though the account was deleted: ~ts. Delete it once more "
               "when storage works, before somebody else gets that name", [Name, Host, Reason]).

%% @doc Hook: a pubsub node was deleted.
-spec pubsub_delete_node(binary(), mod_pubsub:host(), mod_pubsub:nodeId(), mod_pubsub:nodeIdx()) ->
          ok.
pubsub_delete_node(_ServerHost, Host, Node, _Nidx) when is_binary(Host) ->
    case twitter_path:author(Node) of
        {ok, Author} -> twitter_index:forget(Host, Author);
        none -> ok
    end;
pubsub_delete_node(_ServerHost, _PepHost, _Node, _Nidx) ->
    ok.

-spec mod_opt_type(atom()) -> econf:validator().
mod_opt_type(access_any_rate) ->
    econf:acl();
mod_opt_type(access_post) ->
    econf:acl();
mod_opt_type(body) ->
    econf:bool();
mod_opt_type(catch_up) ->
    econf:int(0, ?MAX_CATCH_UP);
mod_opt_type(delivery) ->
    econf:enum([fast, full]);
mod_opt_type(cache_size) ->
    econf:int(1, ?MAX_SIZE);
mod_opt_type(index_size) ->
    econf:int(1, ?MAX_SIZE);
mod_opt_type(max_post_size) ->
    econf:pos_int();
mod_opt_type(max_posts) ->
    econf:pos_int(unlimited);
mod_opt_type(post_rate) ->
    rate();
mod_opt_type(remote_rate) ->
    rate();
mod_opt_type(warm_up) ->
    econf:bool().

rate() ->
    Number = econf:int(1, ?MAX_RATE),
    Rate = econf:options(#{burst => Number, refill => Number},
                         [{required, [burst, refill]}, {return, map}, unique]),
    econf:either(unlimited, Rate).

-spec mod_options(ServerHost :: binary()) -> [{atom(), term()}].
mod_options(_ServerHost) ->
    [{access_any_rate, configure},
     {access_post, all},
     {body, true},
     {catch_up, 20},
     {delivery, fast},
     {cache_size, 67108864},
     {index_size, 268435456},
     {max_post_size, 65536},
     {max_posts, 10_000},
     {post_rate, #{burst => 60, refill => 30}},
     {remote_rate, #{burst => 2000, refill => 6000}},
     {warm_up, true}].

-spec mod_doc() -> #{desc := [binary()], example := [string()],
                     opts := [{atom(), #{value := string() | binary(), desc := binary()}}]}.
mod_doc() ->
    #{desc =>
          [?T("This module gives every user a microblog. Friends are the contacts who already "
              "share their presence: what a user publishes to '/twitter/MyStream' on the pubsub "
              "service is sent at once to everybody who may see his presence, and each reader "
              "finds a tree of his own below '/twitter' in a service browser."), "",
           ?T("It needs 'nodetree: twitter' in 'mod_pubsub', whose storage it uses.")],
      opts =>
          [{access_any_rate,
            #{value => ?T("AccessName"),
              desc => ?T("Who may post faster than 'post_rate' allows. The default value is "
                         "'configure', the rule for administrators.")}},
           {access_post,
            #{value => ?T("AccessName"),
              desc => ?T("Which users of the vhost may post. The others read, and delete what they "
                         "have posted. The default value is 'all'.")}},
           {body,
            #{value => "true | false",
              desc => ?T("Whether a post also comes as the text of a message, for clients that "
                         "know no pubsub. The default value is 'true'.")}},
           {catch_up,
            #{value => "0..1000",
              desc => ?T("How many of the posts that somebody missed are sent to him when he comes online: the "
                         "newest ones, each with the time at which it was posted. What is left he finds by "
                         "reading, and the title of 'FriendsStream' says how much. With '0' none are sent. "
                         "It needs 'mod_private', where it is kept what each user has not read. The default "
                         "value is '20'.")}},
           {delivery,
            #{value => "fast | full",
              desc => ?T("How a post reaches the clients of this server. With 'fast' sessions send it "
                         "at once, for a fraction of the work; with 'full' it first runs all hooks "
                         "for received stanzas, which modules of other makers may need. Blocks, "
                         "stream management and client state apply to both. The default value is "
                         "'fast'.")}},
           {cache_size,
            #{value => ?T("Size"),
              desc => ?T("How much memory the payloads of recent posts may take, in bytes, for each "
                         "pubsub host: what is there is not read from the database. The default "
                         "value is '67108864'.")}},
           {index_size,
            #{value => ?T("Size"),
              desc => ?T("How much memory may be taken, in bytes, for each pubsub host, to know which "
                         "posts there are: about 40 for each post of the authors who were read of "
                         "late. The default value is '268435456'.")}},
           {max_post_size,
            #{value => ?T("Size"),
              desc => ?T("The largest payload, in bytes of XML. The default value is '65536'.")}},
           {max_posts,
            #{value => "pos_integer() | unlimited",
              desc => ?T("How many posts of each author are kept; the oldest go first. "
                         "The default value is '10000'.")}},
           {post_rate,
            #{value => "{burst: pos_integer(), refill: pos_integer()} | unlimited",
              desc => ?T("How fast one author may post, edits included: 'burst' posts at once, and then "
                         "'refill' posts a minute. The default value is 60 at once and 30 a minute.")}},
           {remote_rate,
            #{value => "{burst: pos_integer(), refill: pos_integer()} | unlimited",
              desc => ?T("How fast another server may tell of its authors' posts, edits and deletions "
                         "included: 'burst' at once, and then 'refill' a minute. What comes faster is "
                         "sent again later by servers that have this module, and lost from others. The "
                         "default value is 2000 at once and 6000 a minute.")}},
           {warm_up,
            #{value => "true | false",
              desc => ?T("Whether it is read when the module starts which posts there are, before anybody "
                         "asks, as far as 'index_size' has room. Requests are served meanwhile, and the log "
                         "shows the progress. The default value is 'true'.")}}],
      example =>
          ["modules:",
           "  mod_pubsub:",
           "    nodetree: twitter",
           "    plugins: [flat, pep]",
           "  mod_twitter: {}"]}.
