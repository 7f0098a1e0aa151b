%%% @doc The one who asks: who he is to this service.
-module(twitter_reader).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/1, local/3, is_at_home/1, has_stream/1, publisher/1, local_name/1]).

-export_type([reader/0]).

-type reader() :: #{jid := jid:jid(), name := twitter_nif:jid(), from := jid:jid(),
                    who := twitter_roster:reader(), service := twitter_service:served(), lang := binary(),
                    acts := himself | by_admin}.
%% `jid' is bare, `name' the same as text, `from' as it came, `who' with his privacy list; `acts' says who wants
%% what is asked.

%% @doc The sender of a request to a pubsub host; refused while the host is not served.
-spec new(iq()) -> reader().
new(#iq{from = From, to = #jid{lserver = Host}, lang = Lang} = IQ) ->
    ok = twitter_words:refresh(),
    Bare = jid:remove_resource(jid:make(jid:tolower(From))),
    case twitter_service:find(Host) of
        {ok, Service} ->
            #{jid => Bare, name => jid:encode(Bare), from => From, who => twitter_c2s:reader(IQ),
              service => Service, lang => Lang, acts => himself};
        error ->
            twitter_error:refuse(not_served, Lang)
    end.

%% @doc A user of the vhost, for whom an admin acts.
-spec local(jid:jid(), twitter_service:served(), Lang :: binary()) -> reader().
local(Jid, Service, Lang) ->
    Bare = jid:remove_resource(jid:make(jid:tolower(Jid))),
    #{jid => Bare, name => jid:encode(Bare), from => Bare, who => Bare, service => Service, lang => Lang,
      acts => by_admin}.

%% @doc Whether he is a user of the vhost, by his address.
-spec is_at_home(reader()) -> boolean().
is_at_home(#{jid := #jid{luser = LUser, lserver = LServer}, service := #{server_host := ServerHost}}) ->
    LServer =:= ServerHost andalso LUser =/= <<>>.

%% @doc His name, if he is a user of this server: others see nothing of what was heard of other servers.
-spec local_name(reader()) -> twitter_index:reader().
local_name(#{jid := Jid, name := Name}) ->
    case twitter_roster:is_local(Jid) of
        true -> Name;
        false -> none
    end.

%% @doc Whether he has a stream of his own: a registered user of the vhost.
-spec has_stream(reader()) -> boolean().
has_stream(#{jid := #jid{luser = LUser, lserver = LServer}} = Reader) ->
    is_at_home(Reader) andalso not is_anonymous(LUser, LServer) andalso ejabberd_auth:user_exists(LUser, LServer).

%% @doc The same one as a publisher; refused unless he is a registered user of the vhost.
-spec publisher(reader()) -> jid:jid().
publisher(#{jid := Jid, service := #{server_host := ServerHost}, lang := Lang} = Reader) ->
    #jid{luser = LUser, lserver = LServer} = Jid,
    IsAtHome = is_at_home(Reader),
    case IsAtHome andalso is_anonymous(LUser, LServer) of
        true ->
            twitter_error:refuse(anonymous_publisher, Lang);
        false ->
            %% An account that is being deleted does not exist any more.
            IsAtHome andalso ejabberd_auth:user_exists(LUser, LServer)
                orelse twitter_error:refuse({foreign_publisher, ServerHost}, Lang),
            Jid
    end.

%% Both names occur: one for SASL ANONYMOUS, one for a login under any name.
is_anonymous(LUser, LServer) ->
    lists:any(fun({_Resource, Info}) ->
                      lists:member(proplists:get_value(auth_module, Info),
                                   [anonymous, ejabberd_auth_anonymous])
              end, ejabberd_sm:get_user_info(LUser, LServer)).
